#!/usr/bin/env bash
# Sets up, builds, and trains Fashion-MNIST on the best device; leaves weights and training curve in runs/.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/train.sh [options of samples/fashion_mnist, for instance --epochs 10; --help lists them]
# Where CUDA's compiler is found, the CUDA backend is built as well (GLIA_CUDA=OFF leaves it out, ON insists on it).
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" train

preset=$(best_preset)
build="$glia_root/build/$preset"
say "Configuring build/$preset"
(cd "$glia_root" && quietly "$build/configure.log" cmake --preset "$preset")
say "Building the samples (some minutes the first time)"
quietly "$build/build.log" cmake --build "$build" --target glia_samples

given=" $* "
defaults=()
[[ $given == *" --save"[\ =]* ]] || defaults+=(--save "$glia_root/runs/fashion_mnist.safetensors")
[[ $given == *" --json"[\ =]* ]] || defaults+=(--json "$glia_root/runs/fashion_mnist.json")
mkdir -p "$glia_root/runs"
if [[ -z ${GLIA_DATA_DIR:-} && -d $glia_root/data ]]; then export GLIA_DATA_DIR="$glia_root/data"; fi

# From the caller's folder, so that relative paths among the options mean what they say.
say "Training Fashion-MNIST"
exec "$build/samples/fashion_mnist" "${defaults[@]}" "$@"
