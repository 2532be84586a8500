#!/usr/bin/env bash
# Sets up, builds everything, and runs the test suite; ends with the number of GoogleTest's cases.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/test.sh [options of ctest, for instance -R tensor]
# With the CUDA backend where there are a GPU and CUDA's compiler (GLIA_CUDA=OFF leaves it out, ON insists on it).
# GLIA_THOROUGH=ON runs what takes longest too: ctest's label `thorough`, see docs/testing.md.
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" test

cd "$glia_root"
choose_preset
say "Configuring build/$preset"
quietly "build/$preset/configure.log" cmake --preset "$preset" "${preset_options[@]}"
say "Building (some minutes the first time)"
quietly "build/$preset/build.log" cmake --build --preset "$preset"
say "Built, $SECONDS s from the start; libraries:"
scripts/sizes.sh "build/$preset"/libglia*[ao]

say "Testing"
if [[ ${GLIA_THOROUGH:-OFF} != ON ]]; then selection=(-LE '^(thorough|long)$'); else selection=(-LE '^long$'); fi
rm -rf "build/$preset/test_results"
status=0
ctest --preset "$preset" --parallel "$(nproc)" "${selection[@]}" "$@" || status=$?
scripts/count_tests.sh "build/$preset"
exit "$status"
