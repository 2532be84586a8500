#!/usr/bin/env bash
# Compiles the GPU code once more with ptxas's report: no kernel may spill registers.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: cuda_spills.sh NVCC SOURCE_FOLDER ARCHITECTURE...     (75, 90, ...)
set -euo pipefail
nvcc=$1 source=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
for architecture in "$@"; do
  "$nvcc" -std=c++20 -O3 "-arch=sm_$architecture" -I"$source" -I"$source/include" -Xptxas --verbose -cubin \
    -o "$folder/kernels.cubin" "$source/cuda/kernels.cu" >"$folder/report" 2>&1 || { cat "$folder/report"; exit 1; }
  kernels=$(grep -c 'Compiling entry function' "$folder/report")
  spilling=$(grep 'spill stores' "$folder/report" | grep -cv ' 0 bytes spill stores, 0 bytes spill loads' || true)
  most=$(grep -o 'Used [0-9]* registers' "$folder/report" | sort -n -k2 | tail -n1 | cut -d' ' -f2)
  echo "sm_$architecture: $kernels kernels, $spilling of them spill, at most $most registers"
  ((kernels > 30 && spilling == 0)) || failed=1
done
exit "$failed"
