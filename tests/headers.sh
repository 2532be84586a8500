#!/usr/bin/env bash
# Compiles every header of include/ and kernels/ alone: each includes what it needs, and plain C++ suffices. But for
# glia/thrust.h, which is of CUDA: it is compiled where the folders of CUDA's headers are given, and is not in glia.h.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: headers.sh COMPILER SOURCE_ROOT [CUDA_INCLUDE_FOLDER...]
set -euo pipefail

compiler=$1
cd "$2"
shift 2

of_cuda=include/glia/thrust.h
mapfile -t headers < <(find include kernels -name '*.h' ! -path "$of_cuda" | LC_ALL=C sort)
((${#headers[@]} > 0)) || { echo "headers: none found in $2" >&2; exit 1; }

check() {
  local header=$1 status=0
  "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude -I. -x c++ -include "$header" /dev/null || {
    echo "$header: does not compile alone" >&2
    status=1
  }
  if grep -nE '#[[:space:]]*include[[:space:]]*[<"](cuda|cublas|cudnn|thrust/|cub/|nccl)' "$header" /dev/null >&2; then
    echo "$header: includes a header of CUDA, which belongs in cuda/" >&2
    status=1
  fi
  return "$status"
}
export -f check
export compiler

if (($# > 0)); then
  "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude -DTHRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP \
    "${@/#/-isystem}" -x c++ -include "$of_cuda" /dev/null
fi
if "$compiler" -std=c++20 -E -Iinclude -x c++ include/glia/glia.h | grep -q 'glia/thrust.h'; then
  echo "include/glia/glia.h: includes $of_cuda, which is for who has CUDA's headers" >&2
  exit 1
fi

printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "${#headers[@]} headers compile alone"
