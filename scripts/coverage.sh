#!/usr/bin/env bash
# How many lines of the CUDA backend the suite executes on the CUDA double, file by file; fails below 90 %.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/coverage.sh [--report]     (--report: of what ran with preset asan already)
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" ci
cd "$glia_root"
least=90
build=build/asan

if [[ ${1:-} != --report ]]; then
  say "Building $build"
  quietly "$build/configure.log" cmake --preset asan
  quietly "$build/build.log" cmake --build --preset asan
  find "$build" -name '*.gcda' -delete
  say "Running the suite on the CUDA double"
  quietly "$build/coverage.log" ctest --preset asan --parallel "$(nproc)" -L '^cuda_double$'
fi
gcovr --root . --object-directory "$build" --filter 'cuda/' --exclude '.*with_faults.*' \
  --exclude-unreachable-branches --fail-under-line "$least" --print-summary "$build"
