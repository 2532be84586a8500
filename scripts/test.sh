#!/usr/bin/env bash
# Sets up, builds everything, and runs the whole test suite.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/test.sh [options of ctest, for instance -R tensor]
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" test

cd "$glia_root"
say "Configuring build/cpu"
quietly build/cpu/configure.log cmake --preset cpu
say "Building (some minutes the first time)"
quietly build/cpu/build.log cmake --build --preset cpu
say "Testing"
exec ctest --preset cpu --parallel "$(nproc)" "$@"
