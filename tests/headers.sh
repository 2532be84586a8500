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

failures=0
for header in "${headers[@]}"; do
  if ! "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude -I. -x c++ -include "$header" /dev/null; then
    echo "$header: does not compile alone" >&2
    failures=$((failures + 1))
  fi
  if grep -nE '#[[:space:]]*include[[:space:]]*[<"](cuda|cublas|cudnn|thrust/|cub/|nccl)' "$header" /dev/null >&2; then
    echo "$header: includes a header of CUDA, which belongs in cuda/" >&2
    failures=$((failures + 1))
  fi
done
echo "${#headers[@]} headers, $failures failures"
((failures == 0))
