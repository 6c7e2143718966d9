#!/bin/bash
# Fails if a Go file is not as gofmt writes it.
set -euo pipefail

files=$(gofmt -l .)
if [[ -n $files ]]; then
	echo "not formatted, run gofmt -w on:" $files >&2
	exit 1
fi
