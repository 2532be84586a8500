#!/usr/bin/env bash
# Installs what building Glia needs and this machine lacks (Debian, Ubuntu), and settles which compiler is used.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/setup.sh [train|test|ci]     (each includes the one before; default: test)
# The other scripts source it: they use say, quietly, choose_preset and the CXX it may export.
set -euo pipefail

glia_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
least_compiler=12
least_cmake=3.25

say() { printf '==> %s\n' "$*"; }

# quietly LOG COMMAND...: the command's output goes to LOG, and is shown only if the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 && return
  local status=$?
  tail -n 60 "$log" >&2
  say "failed: $* (all of its output: $log)" >&2
  return "$status"
}

at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1) == "$1" ]]; }

# The newest g++ that will do, where the plain one will not (Ubuntu 22.04 has 11).
choose_compiler() {
  if [[ -n ${CXX:-} ]] || at_least "$least_compiler" "$(g++ -dumpversion 2>/dev/null || echo 0)"; then return; fi
  local version
  for version in 15 14 13 12; do
    if command -v "g++-$version" >/dev/null; then
      export CXX="g++-$version"
      return
    fi
  done
  return 1
}

cmake_will_do() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p')
  [[ -n $version ]] && at_least "$least_cmake" "$version"
}

# Sets `preset`, and `preset_options` for CMake: "cuda" for this machine's GPU, where there is one and a CUDA toolkit, else
# "cpu". $GLIA_CUDA says OFF or ON instead: without a GPU, ON builds for every architecture.
choose_preset() {
  preset=cpu preset_options=()
  case ${GLIA_CUDA:-AUTO} in
    OFF) return ;;
    ON) preset=cuda ;;
    AUTO)
      if ! has_gpu; then
        if find_nvcc; then say "There is no GPU here, so this builds for the CPU alone; GLIA_CUDA=ON builds the CUDA backend too"; fi
      elif find_nvcc; then
        preset=cuda
      else
        say "There is a GPU here but no CUDA toolkit (nvcc), so this builds for the CPU alone; with CUDA 12.4 or later installed" \
          "it would use the GPU"
      fi
      ;;
    *)
      say "GLIA_CUDA is '$GLIA_CUDA', expected AUTO, ON or OFF" >&2
      exit 2
      ;;
  esac
  if [[ $preset == cuda ]]; then
    find_nvcc || true # CMake says what is missing
    preset_options=(-UCMAKE_CUDA_ARCHITECTURES)
    if has_gpu; then preset_options=(-DCMAKE_CUDA_ARCHITECTURES=native); fi
  fi
}

has_gpu() { nvidia-smi -L 2>/dev/null | grep '^GPU' >/dev/null; }

# Puts the toolkit's nvcc on PATH where it is installed but not there.
find_nvcc() {
  if ! command -v nvcc >/dev/null && [[ -x ${CUDA_HOME:-/usr/local/cuda}/bin/nvcc ]]; then
    export PATH="${CUDA_HOME:-/usr/local/cuda}/bin:$PATH"
  fi
  command -v nvcc >/dev/null
}

# The oldest clang++ that is supported, where it is installed, or the one that is.
find_clang() { command -v clang++-14 || command -v clang++; }

clang_has_sanitizers() {
  local clang
  clang=$(find_clang) && echo 'int main() {}' | "$clang" -fsanitize=thread -x c++ - -o /dev/null 2>/dev/null
}

has_dataset() {
  [[ -d $glia_root/data/fashion-mnist || -d ${GLIA_DATA_DIR:-/nonexistent}/fashion-mnist ]]
}

# What has a package of its own is asked of the package system, tools are asked for by name: they may come from elsewhere.
missing_packages() {
  local wanted=(libdnnl-dev zlib1g-dev libssl-dev libzip-dev libhdf5-dev libpng-dev libprotobuf-dev protobuf-compiler nlohmann-json3-dev libcli11-dev) package
  command -v make >/dev/null && command -v g++ >/dev/null || wanted+=(build-essential)
  if command -v g++ >/dev/null && ! choose_compiler; then wanted+=("g++-$least_compiler"); fi
  cmake_will_do || wanted+=(cmake)
  command -v ninja >/dev/null || wanted+=(ninja-build)
  command -v ccache >/dev/null || wanted+=(ccache)
  has_dataset || wanted+=(dataset-fashion-mnist)
  [[ $1 == train ]] || wanted+=(libgtest-dev libgmock-dev libbenchmark-dev)
  [[ $1 != ci ]] || command -v clang-format >/dev/null || wanted+=(clang-format)
  [[ $1 != ci ]] || command -v gcovr >/dev/null || wanted+=(gcovr)
  [[ $1 != ci ]] || wanted+=(python3-numpy) # at the other end of DLPack
  if [[ $1 == ci ]]; then
    if ! find_clang >/dev/null; then
      wanted+=(clang)
    elif ! clang_has_sanitizers; then
      wanted+=("libclang-rt-$("$(find_clang)" -dumpversion | cut -d. -f1)-dev")
    fi
    wanted+=(libomp-dev) # clang's OpenMP, by which oneDNN is told to leave threads to the library
  fi
  [[ $1 != ci ]] || command -v pkg-config >/dev/null || wanted+=(pkg-config)
  [[ $1 != ci ]] || command -v dpkg-shlibdeps >/dev/null || wanted+=(dpkg-dev)
  [[ $1 != ci ]] || command -v file >/dev/null || wanted+=(file) # by which cpack tells programs
  for package in "${wanted[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || echo "$package"
  done
}

install_packages() {
  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      say "missing: $*; as root, run: apt-get update && apt-get install $*" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
  local log="$glia_root/build/setup.log"
  say "Installing $*"
  # A source that does not answer need not be the one that has these packages.
  quietly "$log" "${apt[@]}" update || say "apt-get update failed; trying with the lists that are there" >&2
  quietly "$log" "${apt[@]}" install -y --no-install-recommends "$@"
}

setup() {
  local purpose=$1
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "This is not Debian or Ubuntu, so nothing is installed. Needed: g++ $least_compiler or clang 14, CMake $least_cmake, Ninja," \
      "oneDNN, zlib, OpenSSL, nlohmann/json, libzip, HDF5, libpng, protobuf, CLI11, and for the tests GoogleTest and Google Benchmark"
    return
  fi
  # Twice, because only the compilers that a first round installs tell what more is needed.
  local missing
  for _ in 1 2; do
    mapfile -t missing < <(missing_packages "$purpose")
    if ((${#missing[@]} == 0)); then break; fi
    install_packages "${missing[@]}"
  done
  if ! choose_compiler; then
    say "g++ is $(g++ -dumpversion), Glia needs $least_compiler: apt-get install g++-$least_compiler" >&2
    return 1
  fi
  if ! cmake_will_do; then
    say "$(cmake --version | head -n1), Glia needs $least_cmake: pip install 'cmake>=$least_cmake' has it" >&2
    return 1
  fi
  say "Set-up is complete"
}

# CI reads the GPU code that was built. cuobjdump and its disassembler are parts of the toolkit that need not be installed with
# the compiler.
install_cuobjdump() {
  local bin=$glia_root/build/tools/nvidia/cu13/bin
  if ! find_nvcc || { command -v cuobjdump && command -v nvdisasm; } >/dev/null || [[ -x $bin/nvdisasm ]]; then return; fi
  rm -rf "$glia_root/build/tools" # pip adds nothing to a folder that is there
  quietly "$glia_root/build/setup_cuobjdump.log" python3 -m pip install --quiet --no-deps --target "$glia_root/build/tools" \
    nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm && chmod +x "$bin/cuobjdump" "$bin/nvdisasm" ||
    say "no cuobjdump: the tests cuda.no_spills and cuda.loads are left out" >&2
}

# CI looks at the page of `glia report` in a browser. Ubuntu has none that is a package.
install_browser() {
  local program
  for program in chromium-headless-shell chromium chromium-browser google-chrome-stable google-chrome; do
    if command -v "$program" >/dev/null; then return; fi
  done
  if [[ -z ${GLIA_BROWSER:-} ]] && command -v apt-get >/dev/null && ! install_packages chromium-headless-shell; then
    say "no browser: the test cli.report_in_browser is skipped" >&2
  fi
}

case ${1:-test} in
  train | test) setup "${1:-test}" ;;
  ci)
    setup ci
    install_cuobjdump
    install_browser
    ;;
  *)
    say "setup.sh: got '$1', expected train, test or ci" >&2
    exit 2
    ;;
esac
