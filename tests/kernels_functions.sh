#!/usr/bin/env bash
# Fails if kernels call a function of libm that the watched double of CUDA does not move as a GPU would, though it may, or copy
# memory by a function that does not tell what it reads.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: kernels_functions.sh NM OBJDUMP WATCHER_OBJECT... -- KERNEL_OBJECT...     (of tests/cuda_double/CMakeLists.txt)
set -euo pipefail

nm=$1 objdump=$2
shift 2
watcher=()
while (($# > 0)) && [[ $1 != -- ]]; do watcher+=("$1"); shift; done
shift
(($# > 0)) || { echo "kernels_functions: no object given" >&2; exit 1; }

known=$("$nm" --defined-only "${watcher[@]}" | sed -n 's/.* T __wrap_//p')
for exact in ceil fabs floor fma fmod nearbyint rint sqrt trunc; do known+=" $exact ${exact}f"; done  # rounded in one way
known=" ${known//$'\n'/ } memcpy memmove memset "

failures=0 calls=0
for object in "$@"; do
  for name in $("$nm" --undefined-only "$object" | sed -n 's/.* U \([a-z][a-z0-9]*\)$/\1/p'); do
    calls=$((calls + 1))
    [[ $known == *" $name "* ]] && continue
    echo "$object: calls $name; let tests/cuda_double/ulps.cpp move it, or say here that it is exact" >&2
    failures=1
  done
  # Functions of the host, which are in the same objects, may.
  copies=$("$objdump" -dr --no-show-raw-insn "$object" |
    awk '/>:$/ { kernel = /<_ZN4glia4cuda3runI/ ? $2 : "" } kernel && /R_.*(memcpy|memmove|memset)/ { print kernel, $3 }')
  if [[ -n $copies ]]; then
    printf '%s: kernels copy by a call, which is not watched:\n%s\n' "$object" "$copies" >&2
    failures=1
  fi
done
echo "$# objects, $calls calls looked at"
((calls > 0)) || { echo "kernels_functions: no call found" >&2; exit 1; }
exit "$failures"
