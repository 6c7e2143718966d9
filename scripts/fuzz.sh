#!/bin/bash
# Runs every fuzz target of the module for the time given, such as 30s. Inputs that
# reach new code are kept as they are: to make them small takes most of the time.
set -euo pipefail

packages=$(go list ./...)
for package in $packages; do
	targets=$(go test -list '^Fuzz' "$package" | sed -n '/^Fuzz/p')
	for target in $targets; do
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 1x "$package"
	done
done
