#!/usr/bin/env bash
# Draws the pictures that README and docs/reinforcement.md show into docs/pictures/: trains with the samples, on the CPU.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/pictures.sh              (a minute or two; then look at the pictures, and commit the folder)
#        scripts/pictures.sh --sources    (prints the files that decide what the pictures look like)
# Another processor or oneDNN trains to slightly other numbers, so pictures are not compared. What they were made from is:
# docs/pictures/made_from.sha256 holds its checksums, and the test docs.pictures says when a source has changed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() {
  printf '%s\n' host/plots/*.cpp host/plots/*.h include/glia/history.h include/glia/plots.h \
    host/reinforcement/*.cpp host/reinforcement/*.h samples/dqn.cpp \
    samples/fashion_mnist.cpp samples/fashion_mnist_models.h scripts/pictures.sh | LC_ALL=C sort
}

case "$*" in
  --sources) sources && exit ;;
  '') ;;
  *)
    echo "pictures.sh: got '$*', expected nothing or --sources" >&2
    exit 2
    ;;
esac

# shellcheck source=scripts/setup.sh
source scripts/setup.sh train

say "Configuring build/cpu"
quietly build/cpu/configure.log cmake --preset cpu
say "Building the samples (some minutes the first time)"
quietly build/cpu/build.log cmake --build build/cpu --target sample_fashion_mnist sample_dqn

if [[ -z ${GLIA_DATA_DIR:-} && -d data ]]; then export GLIA_DATA_DIR=$PWD/data; fi
pictures=docs/pictures
mkdir -p "$pictures"
say "Training Fashion-MNIST"
build/cpu/samples/fashion_mnist --device cpu --hidden 128 --optimizer adam --epochs 10 --seed 0 --verbose 2 \
  --plot "$pictures/curve.svg" --predictions "$pictures/predictions.svg" --confusion "$pictures/confusion.svg"
say "Balancing a pole"
build/cpu/samples/dqn --device cpu --environment cartpole --seed 1 --steps 100000 --verbose 2 \
  --plot "$pictures/dqn_curve.svg" --episode "$pictures/dqn_episode.svg"
mapfile -t files < <(sources)
sha256sum "${files[@]}" >"$pictures/made_from.sha256"
say "Wrote curve.svg, predictions.svg, confusion.svg, dqn_curve.svg and dqn_episode.svg to $pictures"
