#!/bin/bash
# Runs every fuzz target of the module for the time given, such as 30s.
set -euo pipefail

packages=$(go list ./...)
for package in $packages; do
	targets=$(go test -list '^Fuzz' "$package" | sed -n '/^Fuzz/p')
	for target in $targets; do
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package"
	done
done
