#!/usr/bin/env bash
# How many lines of the CUDA backend the suite executes on the CUDA double, file by file; fails below 90 %.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/coverage.sh
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" ci
cd "$glia_root"
least=90

say "Building build/coverage"
quietly build/coverage/configure.log cmake --preset coverage
quietly build/coverage/build.log cmake --build --preset coverage
find build/coverage -name '*.gcda' -delete
say "Running the suite on the CUDA double"
quietly build/coverage/test.log ctest --preset coverage --parallel "$(nproc)"
gcovr --root . --object-directory build/coverage --filter 'cuda/' --exclude '.*with_faults.*' \
  --exclude-unreachable-branches --fail-under-line "$least" --print-summary build/coverage
