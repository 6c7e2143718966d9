#!/bin/bash
# Generates the code anew and fails if that changes a file. The new code stays.
set -euo pipefail

sums() {
	grep -rlE --include='*.go' --include='*.s' '^// Code generated .* DO NOT EDIT\.$' . | sort | xargs cksum
}

before=$(sums)
make --no-print-directory generate
after=$(sums)
if ! diff <(echo "$before") <(echo "$after"); then
	echo "generated code was out of date: review and commit what make generate wrote" >&2
	exit 1
fi
