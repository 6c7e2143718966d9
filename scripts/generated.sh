#!/bin/bash
# Deletes the generated code and generates it anew. Fails if that changes a file or
# leaves one out. What is left out comes back; what is changed stays, for review.
set -euo pipefail

files=$(grep -rlE --include='*.go' --include='*.s' '^// Code generated .* DO NOT EDIT\.$' . | sort || true)
if [[ -z $files ]]; then
	echo "no file says that it is generated" >&2
	exit 1
fi
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
tar -cf - $files | tar -xf - -C "$before"
rm $files
status=0
make --no-print-directory generate || status=1

for file in $files; do
	if [[ ! -e $file ]]; then
		echo "make generate does not write $file" >&2
		cp "$before/$file" "$file"
		status=1
	elif ! diff -u "$before/$file" "$file"; then
		echo "$file was out of date: review and commit what make generate wrote" >&2
		status=1
	fi
done
exit $status
