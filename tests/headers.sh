#!/usr/bin/env bash
# Compiles every header of include/ alone: each includes what it needs, plain C++ suffices, and there is no warning in a project that
# asks for many, whatever its compiler. But for glia/thrust.h, which is of CUDA: it is compiled where the folders of CUDA's headers
# are given, and is not in glia.h. The kernels' headers include none of CUDA either.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: [GLIA_CUDA_INCLUDES=FOLDER:...] headers.sh SOURCE_ROOT COMPILER [OTHER...]
#   OTHER: clang++ or nvcc, given all of include/ at once, and tests/forms.cpp, which makes instances of its templates
set -euo pipefail

cd "$1"
compiler=$2
shift 2

of_cuda=include/glia/thrust.h
mapfile -t headers < <(find include -name '*.h' ! -path "$of_cuda" | LC_ALL=C sort)
((${#headers[@]} > 0)) || { echo "headers: none found in $PWD" >&2; exit 1; }
strict='-Wpedantic -Wconversion -Wsign-conversion'

check() {
  local header=$1 more
  read -r -a more <<<"$strict"
  "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra "${more[@]}" -Werror -Iinclude -x c++ -include "$header" /dev/null || {
    echo "$header: does not compile alone, or warns" >&2
    return 1
  }
}
export -f check
export compiler strict

if find include kernels -name '*.h' ! -path "$of_cuda" -print0 |
  xargs -0 grep -nE '#[[:space:]]*include[[:space:]]*[<"](cuda|cublas|cudnn|thrust/|cub/|nccl)' >&2; then
  echo "headers: of CUDA's own, which belong in cuda/" >&2
  exit 1
fi

IFS=: read -r -a cuda_includes <<<"${GLIA_CUDA_INCLUDES:-}"
if ((${#cuda_includes[@]} > 0)); then
  "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude -DTHRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP \
    "${cuda_includes[@]/#/-isystem}" -x c++ -include "$of_cuda" /dev/null
fi
if "$compiler" -std=c++20 -E -Iinclude -x c++ include/glia/glia.h | grep 'glia/thrust.h' >/dev/null; then
  echo "include/glia/glia.h: includes $of_cuda, which is for who has CUDA's headers" >&2
  exit 1
fi

printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "${#headers[@]} headers compile alone"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <%s>\n' "${headers[@]#include/}" >"$folder/all.cpp"
echo '#include <tests/forms.cpp>' >>"$folder/all.cpp"
for other in "$compiler" "$@"; do
  flags=(-std=c++20 -Iinclude -I.)
  if [[ $other == *nvcc ]]; then # whose lines for the host's compiler are not pedantic; the host's pass and the device's
    flags+=(-x cu -c -o "$folder/all.o" -Werror all-warnings -Xcompiler=-Wall,-Wextra,-Wconversion,-Wsign-conversion,-Werror)
  else
    read -r -a more <<<"$strict"
    flags+=(-fsyntax-only -Wall -Wextra "${more[@]}" -Werror)
  fi
  "$other" "${flags[@]}" "$folder/all.cpp" || { echo "the headers of include/ warn under $other" >&2; exit 1; }
  echo "all of include/ under $other: no warning"
done
