#!/bin/bash
# Runs every fuzz target of the module for the time given, such as 30s. Inputs that
# reach new code are kept as they are: to make them small takes most of the time.
set -euo pipefail

grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file function; do
	go test -run '^$' -fuzz "^${function#func }\$" -fuzztime "$1" -fuzzminimizetime 1x "$(dirname "$file")" </dev/null
done
