#!/usr/bin/env bash
# A program built with CUDA starts and runs on the CPU where the loader finds no library of CUDA, and says why.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: cuda_hidden.sh LOGIC_GATES DEVICE_REPORT LIBRARY CMAKE     (two samples, libglia_cuda.so)
set -euo pipefail
gates=$1 report=$2 library=$3 cmake=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$gates" "$folder/gates"
cp "$report" "$folder/report"
cp "$library" "$folder/libglia_cuda.so"
# Without its own search path and the system's cache, the library finds nothing of CUDA.
echo 'file(RPATH_REMOVE FILE "${FILE}")' >"$folder/remove.cmake"
"$cmake" "-DFILE=$folder/libglia_cuda.so" -P "$folder/remove.cmake"
loader=$(readelf -l "$gates" | sed -n 's/.*interpreter: \(.*\)\]$/\1/p')
run() { env -u LD_LIBRARY_PATH -u GLIA_CUDA_LIBRARY "$loader" --inhibit-cache "$folder/$1" "${@:2}"; }

if readelf -d "$gates" | grep -E 'NEEDED.*lib(cuda|cudart|cublas|cudnn|nvrtc)'; then
  echo "the program itself needs CUDA"
  exit 1
fi
run gates
run report | tee "$folder/out"
grep -q '^cuda: not available: .*libcublasLt' "$folder/out"
grep -q '^cpu computes with' "$folder/out"
if run report --device cuda; then
  echo "--device cuda did not fail"
  exit 1
fi
