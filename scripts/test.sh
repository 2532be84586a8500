#!/usr/bin/env bash
# Sets up, builds everything, and runs the whole test suite.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/test.sh [options of ctest, for instance -R tensor]
# With the CUDA backend where CUDA's compiler is found (GLIA_CUDA=OFF leaves it out); its tests use a GPU if there is one.
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" test

cd "$glia_root"
preset=$(best_preset)
say "Configuring build/$preset"
quietly "build/$preset/configure.log" cmake --preset "$preset"
say "Building (some minutes the first time)"
quietly "build/$preset/build.log" cmake --build --preset "$preset"
say "Testing"
exec ctest --preset "$preset" --parallel "$(nproc)" "$@"
