#!/bin/bash
# Fails if a module calls code that is known to be vulnerable. Where the database of
# vulnerabilities cannot be reached it checks nothing and says so:
#
#   scripts/vulnerabilities.sh GOVULNCHECK MODULE...
#
# GOVULNCHECK is the command's package with its version, a MODULE a folder.
set -euo pipefail

govulncheck=$1
shift
for module in "$@"; do
	if said=$(go -C "$module" run "$govulncheck" ./... 2>&1); then
		echo "$module: no code that is known to be vulnerable is called"
	elif [[ $said == *"govulncheck: fetching vulnerabilities: "* ]]; then
		echo "skipped: the database of vulnerabilities cannot be reached: ${said%%$'\n'*}"
		exit
	else
		echo "$said" >&2
		exit 1
	fi
done
