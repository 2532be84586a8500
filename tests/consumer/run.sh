#!/usr/bin/env bash
# Builds and runs the outside project of this folder against Glia.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: run.sh installed|sources SOURCE_ROOT BUILD_DIR WORK_DIR [options for CMake]
#   installed: what BUILD_DIR has built, installed into WORK_DIR and then moved, as a package is; found by find_package
#   sources:   SOURCE_ROOT as a subproject, and a shared library, through FetchContent
set -euo pipefail

way=$1 source_root=$2 build_dir=$3 work_dir=$4
shift 4
rm -rf "$work_dir"
mkdir -p "$work_dir"

case $way in
  installed)
    cmake --install "$build_dir" --prefix "$work_dir/staging" >/dev/null
    mv "$work_dir/staging" "$work_dir/prefix"
    options=(-DCMAKE_PREFIX_PATH="$work_dir/prefix")
    ;;
  sources)
    options=(-DGLIA_SOURCE_DIR="$source_root" -DBUILD_SHARED_LIBS=ON -DGLIA_CUDA=OFF -DGLIA_X86_64_LEVELS=v3)
    ;;
  *)
    echo "run.sh: got '$way', expected installed or sources" >&2
    exit 2
    ;;
esac

cmake -S "$source_root/tests/consumer" -B "$work_dir/build" "$@" "${options[@]}"
cmake --build "$work_dir/build"
"$work_dir/build/consumer"
