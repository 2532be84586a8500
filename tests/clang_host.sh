#!/usr/bin/env bash
# Has clang read the library: every source of host/ without making code of it. Warnings are errors.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: clang_host.sh SOURCE_ROOT CLANG
set -euo pipefail

cd "$1"
clang=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
flags=(-std=c++20 -Wall -Wextra -Werror -Iinclude -I. -fvisibility=hidden)
defined=(-DGLIA_ISA=baseline -DGLIA_BUILT_WITH_CUDA=1 -DGLIA_HAS_LIBZIP=1 -DGLIA_HAS_LIBPNG=1 '-DGLIA_INSTALL_LIBDIR="lib"')
"$clang" "${flags[@]}" -x c++-header host/base/precompiled.h -o "$folder/precompiled.pch"
find host -name '*.cpp' -print0 | LC_ALL=C sort -z |
  xargs -0 -P "$(nproc)" -n 6 "$clang" "${flags[@]}" "${defined[@]}" -include-pch "$folder/precompiled.pch" -fsyntax-only
echo "$("$clang" --version | head -n1): $(find host -name '*.cpp' | wc -l) sources, no warning"
