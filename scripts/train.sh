#!/usr/bin/env bash
# Sets up, builds the library and one sample, and trains Fashion-MNIST on the best device; leaves weights and training curve
# in runs/.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/train.sh [options of samples/fashion_mnist, for instance --epochs 10; --help lists them]
# With the CUDA backend where there are a GPU and CUDA's compiler (GLIA_CUDA=OFF leaves it out, ON insists on it).
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" train

choose_preset
build="$glia_root/build/$preset" runs="$glia_root/runs"
say "Configuring build/$preset"
(cd "$glia_root" && quietly "$build/configure.log" cmake --preset "$preset" "${preset_options[@]}")
say "Building the library and the sample (some ten minutes on two cores the first time)"
quietly "$build/build.log" cmake --build "$build" --target sample_fashion_mnist

given=" $* "
defaults=()
[[ $given == *" --save"[\ =]* ]] || defaults+=(--save "$runs/fashion_mnist.safetensors")
[[ $given == *" --json"[\ =]* ]] || defaults+=(--json "$runs/fashion_mnist.json")
[[ $given == *" --plot"[\ =]* ]] || defaults+=(--plot "$runs/fashion_mnist.svg")
mkdir -p "$runs"
if [[ -z ${GLIA_DATA_DIR:-} && -d $glia_root/data ]]; then export GLIA_DATA_DIR="$glia_root/data"; fi

# From the caller's folder, so that relative paths among the options mean what they say.
say "Training Fashion-MNIST"
"$build/samples/fashion_mnist" "${defaults[@]}" "$@"

if [[ $given == *" --help "* || $given == *" -h "* ]]; then exit; fi
say "In $runs: fashion_mnist.safetensors (the weights), .json (the curve's numbers), .svg (the curve, for a browser)"
say "Next, a convolutional network: scripts/train.sh --model cnn. More samples, for instance on tumours:" \
  "cmake --build $build --target glia_samples && $build/samples/breast_cancer"
