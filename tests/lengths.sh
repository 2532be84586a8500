#!/usr/bin/env bash
# No source file has more than 500 lines, and none of host/ more than 400, comments and blank lines counted: what grows beyond
# that is to be cut by subject. First it makes files that are too long, and fails where one goes unseen.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: lengths.sh REPOSITORY
set -euo pipefail

# check ROOT: prints each file that is too long, on a line.
check() (
  cd "$1"
  find CMakeLists.txt benchmarks cli cmake cuda docs host include interchange kernels samples scripts tests -type f \
    \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.cu' -o -name '*.cuh' -o -name '*.py' -o -name '*.sh' -o -name '*.cmake' \
    -o -name CMakeLists.txt \) -print0 | LC_ALL=C sort -z | xargs -0 awk '
      function end_file() {
        limit = file ~ /^host\// ? 400 : 500
        if (lines > limit) { print file ": has " lines " lines, but " limit " are the most: cut it by subject"; wrong = 1 }
      }
      FNR == 1 { end_file(); file = FILENAME }
      { lines = FNR }
      END { end_file(); exit wrong }'
)

house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT

# put FILE LINES: a file of the house with so many lines, the last of which has no end.
put() {
  mkdir -p "$house/$(dirname "$1")"
  printf '%*s' "$(($2 - 1))" '' | tr ' ' '\n' >"$house/$1"
  printf '}' >>"$house/$1"
}

# must_see FILE LINES LIMIT: with this file in the house, check names it alone.
must_see() {
  local said
  put "$1" "$2"
  if said=$(check "$house") || [[ $said != "$1: has $2 lines, but $3 are the most"* || $said == *$'\n'* ]]; then
    printf 'lengths.sh: %s of %s lines was to be refused, and check said: %s\n' "$1" "$2" "${said:-nothing}" >&2
    exit 1
  fi
  rm "$house/$1"
}

for folder in benchmarks cmake cuda docs host include interchange cli kernels samples scripts tests; do mkdir "$house/$folder"; done
put CMakeLists.txt 500
put host/model/model.cpp 400
put include/glia/tensor.h 500
put tests/golden/values.txt 1000
put docs/guide.md 1000
if ! said=$(check "$house"); then
  printf 'lengths.sh: no file is too long in this house, and check said: %s\n' "$said" >&2
  exit 1
fi
for file in host/model/new.cpp host/new.h host/model/CMakeLists.txt; do must_see "$file" 401 400; done
for file in benchmarks/new.cpp cmake/new.cmake cuda/new.cu cuda/new.cuh include/glia/new.h kernels/new.h samples/new.cpp samples/new.c \
  scripts/new.sh tests/CMakeLists.txt tests/golden/new.py tests/host/new.cpp; do
  must_see "$file" 501 500
done

check "$1" >&2
