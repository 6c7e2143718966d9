#!/bin/bash
# Verifies and times every preset on CUDA, on a machine with an NVIDIA GPU, and writes a
# table in Markdown. It fetches nothing.
#
#   scripts/check-cuda.sh FOLDER [TABLE]
#
# FOLDER holds ONNX Runtime's libonnxruntime.so of a GPU build and, beside it,
# libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so. TABLE is the
# file to write, cuda.md if it is not given. RNNKIT names a rnnkit that is built with cgo
# already; without it this one is built.
set -euo pipefail

if (( $# < 1 || $# > 2 )); then
	echo "usage: scripts/check-cuda.sh FOLDER [TABLE]" >&2
	exit 2
fi
table=${2:-cuda.md}
library=
for file in "$1"/libonnxruntime.so "$1"/libonnxruntime.so.*; do
	if [[ -f $file ]]; then
		library=$(realpath "$file")
		break
	fi
done
if [[ -z $library ]]; then
	echo "there is no libonnxruntime.so in $1: give the folder of a GPU build of ONNX Runtime" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rnnkit=${RNNKIT:-$work/rnnkit}
if [[ -z ${RNNKIT:-} ]]; then
	root=$(dirname "$(realpath "$0")")/..
	CGO_ENABLED=1 GOPROXY=off go build -C "$root" -o "$rnnkit" ./cmd/rnnkit
fi

gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1) || true
"$rnnkit" runtime status --ort-lib "$library" >"$work/status" || { cat "$work/status" >&2; exit 1; }
{
	echo "# CUDA"
	echo
	echo "${gpu:-unknown GPU}; ONNX Runtime $(sed -n 's/^version *//p' "$work/status")"
	echo
	echo "| preset | engine | largest difference | batch | time | median | p99 | rows/s | GFLOP/s |"
	echo "|---|---|---|---|---|---|---|---|---|"
} >"$work/table"

for preset in chars sine echo palindrome; do
	model=$work/$preset.onnx
	"$rnnkit" train "$preset" --epochs 1 --ort-lib "$library" -o "$model" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; exit 1; }
	# bench fails where CUDA cannot be had, and says what is missing; verify leaves it out.
	"$rnnkit" bench "$model" --engines native,onnxruntime,cuda --ort-lib "$library" >"$work/bench"
	"$rnnkit" verify "$model" --engine native,onnxruntime,cuda --ort-lib "$library" >"$work/verify"
	awk -F '  +' -v preset="$preset" '
		FNR == 1 { next }
		FILENAME ~ /verify$/ { sub(/^native$/, "native/cpu", $1); difference[$1] = $2; next }
		{ printf "| %s | %s | %s | %s | %s%s | %s | %s | %s | %s |\n",
			preset, $1, difference[$1], $2, $3, ($4 == "-" ? "" : ", " $4), $5, $6, $7, $8 }
	' "$work/verify" "$work/bench" >>"$work/table"
done
mv "$work/table" "$table"
echo "wrote $table"
