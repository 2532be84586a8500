#!/usr/bin/env bash
# Reads the GPU code of the library that was built: no kernel may spill registers to local memory. A stack frame is spilt
# registers or an array that is indexed at run time; kernels that have such an array are named here, with its bytes.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: cuda_spills.sh CUOBJDUMP LIBRARY
set -euo pipefail

declare -A arrays=([AugmentKernel]=224 [GatherKernel]=224 [LossKernel]=80 [NoiseKernel]=40 [ScheduleKernel]=40
  [PositivesKernel]=32 [AucKernel]=16)
allowed=$(for kernel in "${!arrays[@]}"; do echo "$kernel=${arrays[$kernel]}"; done)

"$1" --dump-resource-usage "$2" | c++filt | awk -v allowed="$allowed" '
  BEGIN {
    split(allowed, pairs, /[ \n]+/)
    for (i in pairs) { split(pairs[i], pair, "="); bytes[pair[1]] = pair[2] }
  }
  /^arch = / { arch = $3 }
  / Function / {
    name = $0
    match(name, /[A-Za-z]+Kernel/)
    kernel = substr(name, RSTART, RLENGTH)
  }
  / REG:/ {
    match($0, /REG:[0-9]+/); registers = substr($0, RSTART + 4, RLENGTH - 4) + 0
    match($0, /STACK:[0-9]+/); stack = substr($0, RSTART + 6, RLENGTH - 6) + 0
    ++kernels[arch]
    if (registers > most[arch]) most[arch] = registers
    if (stack > bytes[kernel] + 0) {
      printf "%s on %s: %d bytes of stack where %d are allowed\n", name, arch, stack, bytes[kernel]
      failed = 1
    }
  }
  END {
    for (arch in kernels) {
      printf "%s: %d kernels, at most %d registers\n", arch, kernels[arch], most[arch]
      if (kernels[arch] < 100) failed = 1
      ++archs
    }
    if (!archs) print "the library has no GPU code"
    exit failed || !archs
  }'
