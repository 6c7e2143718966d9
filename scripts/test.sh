#!/bin/bash
# Runs the tests of every module, in an order that is drawn anew each time and printed:
#
#   scripts/test.sh [-using PACKAGE] [FLAG]...
#
# With -using, only the tests of packages that depend on PACKAGE of the main module, by
# themselves or by their tests. FLAGs, such as -short, go to go test.
set -euo pipefail

using=
if [[ ${1:-} == -using ]]; then
	using=$(go list "./$2")
	shift 2
fi

# packages lists those of the module in the working directory.
packages() {
	if [[ -z $using ]]; then
		echo ./...
		return
	fi
	go list -test -f '{{$name := .ImportPath}}{{range .Deps}}{{$name}} {{.}}{{"\n"}}{{end}}' ./... |
		awk -v using="$using" '$2 == using && sub(/\.test$/, "", $1) { print $1 }'
}

for mod in $(find . -name go.mod -not -path '*/.*'); do
	(
		cd "$(dirname "$mod")"
		list=$(packages)
		[[ -z $list ]] || go test -shuffle=on "$@" $list
	)
done
