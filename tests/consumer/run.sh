#!/usr/bin/env bash
# Builds and runs the outside project of this folder against Glia.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: run.sh installed|pkg-config|sources SOURCE_ROOT BUILD_DIR WORK_DIR [options for CMake]
#   installed:  what BUILD_DIR has built, installed into WORK_DIR and then moved, as a package is; found by find_package,
#               static, shared and with components that are not there
#   pkg-config: the same, found by pkg-config, and linked to the shared and to the static library
#   sources:    SOURCE_ROOT as a subproject, and a shared library, through FetchContent
set -euo pipefail

way=$1 source_root=$2 build_dir=$3 work_dir=$4
shift 4
options=("$@")
rm -rf "$work_dir"
mkdir -p "$work_dir"

# The installation, below $work_dir/prefix.
install_and_move() {
  cmake --install "$build_dir" --prefix "$work_dir/staging" >/dev/null
  mv "$work_dir/staging" "$work_dir/prefix"
  library=$(dirname "$(find "$work_dir/prefix" -name 'libglia.a')")
}

configure() { cmake -S "$source_root/tests/consumer" -B "$work_dir/$1" "${options[@]}" -DCMAKE_PREFIX_PATH="$work_dir/prefix" "${@:2}"; }

# links PROGRAM to_shared|to_static: whether it needs libglia.so.
links() {
  local needs=to_static
  if readelf -d "$1" | grep -q 'NEEDED.*\[libglia\.so\.[0-9.]*\]'; then needs=to_shared; fi
  [[ $needs == "$2" ]] || { echo "$1 links $needs, expected $2" >&2; exit 1; }
}

# refused COMPONENT MESSAGE: find_package says why it is not there.
refused() {
  if configure "refused_$1" -DGLIA_COMPONENTS="$1" >"$work_dir/refused_$1.log" 2>&1; then
    echo "find_package(glia COMPONENTS $1) was satisfied" >&2
    exit 1
  fi
  tr -s ' \n' ' ' <"$work_dir/refused_$1.log" | grep -F "$2" || { cat "$work_dir/refused_$1.log" >&2; exit 1; }
}

case $way in
  installed)
    install_and_move
    components='static;shared'
    for extension in keras onnx; do
      [[ ! -e $library/cmake/glia/gliaExtension-$extension.cmake ]] || components+=";$extension"
    done
    configure build "-DGLIA_COMPONENTS=$components"
    cmake --build "$work_dir/build"
    for extension in keras onnx; do
      [[ $components != *$extension* ]] || (cd "$work_dir" && "build/consumer_$extension")
      rm -f "$library/cmake/glia/gliaExtension-$extension.cmake" # as where its libraries are not
      refused "$extension" "it was built without $extension"
    done
    for program in consumer consumer_static consumer_shared; do "$work_dir/build/$program"; done
    links "$work_dir/build/consumer_static" to_static
    links "$work_dir/build/consumer_shared" to_shared
    refused sparse "it has no component 'sparse', expected cuda, keras, onnx, shared or static"
    if [[ ! -e $library/libglia_cuda.so ]]; then
      refused cuda "the CUDA backend is not installed beside it"
      touch "$library/libglia_cuda.so"
    fi
    configure with_cuda -DGLIA_COMPONENTS=cuda >/dev/null
    [[ $(<"$work_dir/with_cuda/cuda_library") -ef $library/libglia_cuda.so ]]
    rm "$library"/cmake/glia/gliaTargets-static*.cmake # as where GLIA_BUILD_BOTH is off
    sed -i 's/^set(glia_kinds ".*")$/set(glia_kinds "shared")/' "$library/cmake/glia/gliaConfig.cmake"
    refused static "it was built without the static library"
    ;;
  pkg-config)
    install_and_move
    export PKG_CONFIG_PATH=$library/pkgconfig
    compiler=c++
    for option in "$@"; do [[ $option != -DCMAKE_CXX_COMPILER=* ]] || compiler=${option#*=}; done
    read -r -a flags < <(pkg-config --cflags glia)
    read -r -a shared < <(pkg-config --libs glia)
    read -r -a static < <(pkg-config --libs --static glia)
    echo "pkg-config: ${flags[*]}; ${shared[*]}; static: ${static[*]}"
    "$compiler" -std=c++20 -O1 "${flags[@]}" -c "$source_root/tests/consumer/main.cpp" -o "$work_dir/main.o"
    "$compiler" "$work_dir/main.o" "${shared[@]}" -o "$work_dir/consumer_shared"
    links "$work_dir/consumer_shared" to_shared
    LD_LIBRARY_PATH=$library "$work_dir/consumer_shared"
    rm "$library"/libglia.so* # as where there is only the static one
    "$compiler" "$work_dir/main.o" "${static[@]}" -o "$work_dir/consumer_static"
    links "$work_dir/consumer_static" to_static
    "$work_dir/consumer_static"
    ;;
  sources)
    configure build -DGLIA_SOURCE_DIR="$source_root" -DBUILD_SHARED_LIBS=ON -DGLIA_CUDA=OFF -DGLIA_X86_64_LEVELS=v3 \
      -DGLIA_BUILD_TESTS=OFF -DGLIA_BUILD_SAMPLES=OFF -DGLIA_BUILD_BENCHMARKS=OFF -DGLIA_BUILD_BOTH=OFF
    cmake --build "$work_dir/build"
    "$work_dir/build/consumer"
    links "$work_dir/build/consumer" to_shared
    # Nothing but the one library that was asked for.
    find "$work_dir/build" -type f \( -name '*.a' -o -name '*.so*' \) -not -name 'libglia.so.*' | grep . && exit 1
    true
    ;;
  *)
    echo "run.sh: got '$way', expected installed, pkg-config or sources" >&2
    exit 2
    ;;
esac
