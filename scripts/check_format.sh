#!/usr/bin/env bash
# Fails where a source file is not as clang-format would have it.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v clang-format >/dev/null || { echo "check_format: needs clang-format (apt-get install clang-format)" >&2; exit 2; }

mapfile -t files < <(find include kernels host cuda cli interchange tests samples benchmarks \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.cu' -o -name '*.cuh' \) 2>/dev/null | LC_ALL=C sort)
if ! clang-format --dry-run -Werror "${files[@]}"; then
  echo "check_format: run clang-format -i on the files named above" >&2
  exit 1
fi
echo "check_format: ${#files[@]} files are well formatted"
