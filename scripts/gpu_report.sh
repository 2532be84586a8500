#!/usr/bin/env bash
# Proves Glia on this machine's GPU: builds, runs the whole suite and compute-sanitizer on it, times epochs beside PyTorch and
# JAX where Python has them, and writes a Markdown report.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/gpu_report.sh [--out FILE] [--deps FOLDER] [--quick]
#   --out FILE     the report; default docs/gpu/<date>-<gpu>.md. Logs go to FILE's folder, as <name>.<step>.log
#   --deps FOLDER  unpacked Debian packages (FOLDER/usr/...), for a machine that cannot install any
#   --quick        one architecture, no compute-sanitizer, three epochs a measurement
# $PYTHON: the Python that has the peers (default python3). Ends with 1 where a step failed, after all were tried.
set -uo pipefail

glia_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$glia_root" || exit 1
say() { printf '==> %s\n' "$*"; }

out='' deps='' quick=''
while (($#)); do
  case $1 in
    --out) out=${2:?--out wants a file} && shift 2 ;;
    --deps) deps=$(realpath "${2:?--deps wants a folder}") && shift 2 ;;
    --quick) quick=1 && shift ;;
    *)
      sed -n 's/^# \{0,1\}//; /^Usage/,/^\$PYTHON/p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
done

# A rehearsal runs every step where there is no GPU, on the CPU and on the double of CUDA, to try this script.
rehearsal=${GLIA_GPU_REPORT_REHEARSAL:-}
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n1)
if [[ -z $gpu && -n $rehearsal ]]; then gpu='no GPU, a rehearsal'; fi
if [[ -z $gpu ]]; then
  say "no GPU here: nvidia-smi names none, so there is nothing to report" >&2
  exit 1
fi
if ! command -v nvcc >/dev/null && [[ -x ${CUDA_HOME:-/usr/local/cuda}/bin/nvcc ]]; then
  export PATH="${CUDA_HOME:-/usr/local/cuda}/bin:$PATH"
fi

date=$(date -u +%F)
out=${out:-docs/gpu/$date-$(tr -cs '[:alnum:]' '-' <<<"$gpu" | sed 's/-*$//' | tr '[:upper:]' '[:lower:]').md}
mkdir -p "$(dirname "$out")"
logs=${out%.md}
build=build/gpu
failed=()

# step NAME COMMAND...: runs it into a log, adds a line to the report, remembers a failure. Logs keep their last 500 KB.
step() {
  local name=$1 start=$SECONDS status=0
  shift
  say "$name"
  "$@" >"$logs.$name.log" 2>&1 || status=$?
  tail -c 500000 "$logs.$name.log" >"$logs.$name.tail" && mv "$logs.$name.tail" "$logs.$name.log"
  local found
  found=$(grep -E '^[0-9]+% tests passed' "$logs.$name.log" | tail -n1)
  if [[ -n $found ]]; then found="$found; $(grep -c '\*\*\*Skipped' "$logs.$name.log") skipped"; fi
  if ((status == 0)); then
    printf '| %s | passed | %d s | %s |\n' "$name" $((SECONDS - start)) "$found" >>"$out"
  else
    printf '| %s | **failed** (%d) | %d s | %s |\n' "$name" "$status" $((SECONDS - start)) "$found" >>"$out"
    failed+=("$name")
  fi
  return "$status"
}
# block TITLE FILE: the file as it is.
block() { printf '\n## %s\n\n' "$1" >>"$out" && cat "$2" >>"$out"; }
code() { printf '\n## %s\n\n```\n' "$1" >>"$out" && cat "$2" >>"$out" && printf '```\n' >>"$out"; }
version() { "$@" 2>/dev/null | tail -n1; }

# --- what the machine lacks, from --deps
if [[ -n $deps ]]; then
  libraries=$(echo "$deps"/usr/lib/*-linux-gnu)
  export CMAKE_PREFIX_PATH="$deps/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}"
  export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export LIBRARY_PATH="$libraries${LIBRARY_PATH:+:$LIBRARY_PATH}"
  # Headers of one architecture (OpenSSL's configuration), which CMake's prefixes do not cover.
  export CPLUS_INCLUDE_PATH="$deps/usr/include/${libraries##*/}${CPLUS_INCLUDE_PATH:+:$CPLUS_INCLUDE_PATH}"
  if [[ -d $deps/usr/share/datasets ]]; then export GLIA_DATA_DIR="$deps/usr/share/datasets"; fi
fi

# --- cuDNN of Python's packages; one that the system has is found first
cudnn=$("${PYTHON:-python3}" -c 'import nvidia.cudnn; print(nvidia.cudnn.__path__[0])' 2>/dev/null)
if [[ -n $cudnn ]]; then
  export CMAKE_PREFIX_PATH="${CMAKE_PREFIX_PATH:+$CMAKE_PREFIX_PATH:}$cudnn"
  export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$cudnn/lib"
fi

configure() {
  local options=(-DGLIA_CUDA=ON -DCMAKE_BUILD_TYPE=Release)
  if [[ -z $rehearsal ]]; then options+=(-DCMAKE_CUDA_ARCHITECTURES=native); else options+=(-DCMAKE_CUDA_ARCHITECTURES=90); fi
  # GoogleTest as sources only, as Debian's googletest has it.
  if [[ -n $deps && -d $deps/usr/src/googletest && -z $(compgen -G "$deps/usr/lib/*/libgtest.a") ]]; then
    cmake -S "$deps/usr/src/googletest" -B build/gtest -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_INSTALL_PREFIX="$PWD/build/gtest/installed" && cmake --build build/gtest && cmake --install build/gtest || return 1
    export CMAKE_PREFIX_PATH="$PWD/build/gtest/installed:$CMAKE_PREFIX_PATH"
  fi
  cmake -S . -B "$build" -G Ninja "${options[@]}"
}

suite() {  # LABEL
  ctest --test-dir "$build" -L "^$1\$" --parallel 8 --output-on-failure --no-tests=error
}

# On a GPU nothing of its suite may be skipped for want of one.
gpu_suite() {
  suite gpu || return 1
  if [[ -z $rehearsal ]] && ctest --test-dir "$build" -L '^gpu$' -R '^gpu/program$' 2>&1 | grep -q 'Skipped'; then
    echo "the suite skipped its tests: the GPU was not used"
    return 1
  fi
}

# A short list: under these tools everything runs ten to a hundred times slower.
sanitize() {  # TOOL
  local test filter='*A_sequence_of_steps*/cuda:*The_same_seed*/cuda:*Streamed_data*/cuda:*A_partial_last*/cuda:*Dense_acts*/cuda:*An_image_does_not_see*/cuda'
  for test in program determinism sequential convolution mixed_precision; do
    GLIA_CUDA_LIBRARY="$PWD/$build/libglia_cuda.so" timeout 300 compute-sanitizer --tool "$1" --error-exitcode 9 \
      "$build/tests/${test}_test" "--gtest_filter=$filter" || return
  done
}

epochs=7
if [[ -n $quick ]]; then epochs=3; fi
measure() {
  local python=${PYTHON:-python3} device=(--device cuda)
  if [[ -n $rehearsal ]]; then device=(--device cpu --rows 2048); fi
  if command -v "$python" >/dev/null; then
    "$python" benchmarks/gpu_epochs.py "$build/benchmarks/epoch_benchmark" --epochs "$epochs" "${device[@]}" >"$logs.epochs.md"
  else
    "$build/benchmarks/epoch_benchmark" --epochs "$epochs" "${device[@]}" >"$logs.epochs.md"
  fi
}

# train_images EPOCHS MODEL OPTION...: training by a sample, of which a rehearsal does little.
train_images() {
  local extent=(--device cuda --epochs "$1")
  shift
  if [[ -n $rehearsal ]]; then extent=(--device cpu --images 500 --epochs 1); fi
  "$build/samples/fashion_mnist" --verbose 2 --validation-split 0 --model "$@" "${extent[@]}"
}

{
  echo "# Glia on $gpu, $date"
  echo
  echo "| | |"
  echo "|---|---|"
  echo "| GPU, driver | $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n1) |"
  echo "| CUDA compiler | $(version nvcc --version) |"
  echo "| host compiler, CMake | $(c++ --version | head -n1), $(cmake --version | head -n1) |"
  echo "| commit | $(git rev-parse --short HEAD 2>/dev/null || echo unknown) |"
  echo
  echo "| step | | | |"
  echo "|---|---|---|---|"
} >"$out"

step configure configure && step build cmake --build "$build"
if ((${#failed[@]} == 0)); then
  step device "$build/samples/device_report" --device "$([[ -n $rehearsal ]] && echo cpu || echo cuda)"
  step suite-gpu gpu_suite
  step suite-cpu suite unit
  step suite-double suite cuda_double
  if [[ -n $quick ]]; then
    echo "| compute-sanitizer | left out | | |" >>"$out"
  elif command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck synccheck; do step "sanitizer-$tool" sanitize "$tool"; done
  else
    echo "| compute-sanitizer | not on this machine | | |" >>"$out"
  fi
  step fashion-mnist "$build/samples/fashion_mnist" --verbose 2 --device "$([[ -n $rehearsal ]] && echo cpu || echo cuda)"
  step cnn train_images 10 cnn --batch-size 64
  recipe=(10 resnet --batch-size 128 --optimizer nesterov --one-cycle 0.2 --label-smoothing 0.1 --augment --flip-average)
  step resnet train_images "${recipe[@]}"
  step resnet-bfloat16 train_images "${recipe[@]}" --precision mixed_bfloat16
  step epochs measure
  code "Device" "$logs.device.log"
  if [[ -s $logs.epochs.md ]]; then block "Seconds of an epoch" "$logs.epochs.md"; fi
  code "Fashion-MNIST, 784-128-10, Adam, batch 32, five epochs" "$logs.fashion-mnist.log"
  code "Fashion-MNIST, a textbook's convolutional network" "$logs.cnn.log"
  code "Fashion-MNIST, nine residual layers, augmented" "$logs.resnet.log"
  code "The same with products in bfloat16" "$logs.resnet-bfloat16.log"
fi
for name in "${failed[@]}"; do
  tail -n 60 "$logs.$name.log" >"$logs.end" && code "Failed: $name" "$logs.end"
done
rm -f "$logs.end"
say "the report is $out"
if ((${#failed[@]})); then
  say "failed: ${failed[*]}"
  exit 1
fi
