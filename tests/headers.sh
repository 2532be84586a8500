#!/usr/bin/env bash
# Compiles every header of include/ and kernels/ alone: each includes what it needs, and plain C++ suffices.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: headers.sh COMPILER SOURCE_ROOT
set -euo pipefail

compiler=$1
cd "$2"

mapfile -t headers < <(find include kernels -name '*.h' | LC_ALL=C sort)
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

printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "${#headers[@]} headers compile alone"
