#!/usr/bin/env bash
# Prints what the kernels of a training step move, of three networks, as docs/kernels.md explains it. Needs no GPU, but g++ and the
# headers of CUDA.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/kernel_traffic.sh               (a minute or two)
#        scripts/kernel_traffic.sh before|after  (puts it into docs/kernels.md, in the place of what is there)
set -euo pipefail

section=${1:-}
case "$#$section" in
  0 | 1before | 1after) ;;
  *)
    echo "kernel_traffic.sh: got '$*', expected nothing, before or after" >&2
    exit 2
    ;;
esac

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" test >&2
cd "$glia_root"
build=build/cpu page=docs/kernels.md

if [[ ! -f $build/CMakeCache.txt ]]; then quietly "$build/configure.log" cmake --preset cpu; fi
quietly "$build/build.log" cmake --build "$build" --target kernel_traffic glia_cuda_double_watched
tables=$(GLIA_CUDA_LIBRARY=$build/tests/cuda_double/libglia_cuda_double_watched.so "$build/tests/kernel_traffic" \
  mlp 32 cnn 64 resnet 128)
if [[ -z $section ]]; then
  printf '%s\n' "$tables"
  exit
fi
TABLES=$tables awk -v begin="<!-- $section -->" -v end="<!-- end of $section -->" '
  $0 == end { inside = 0; ++ended }
  !inside
  $0 == begin { print ENVIRON["TABLES"] "\n"; inside = 1 }
  END { exit ended != 1 }' "$page" >"$page.new"
mv "$page.new" "$page"
say "Wrote the tables to $page"
