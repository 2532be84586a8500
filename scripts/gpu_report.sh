#!/usr/bin/env bash
# Proves Glia on a GPU within ten minutes: --build makes a folder of programs here, --run runs them on the machine with the GPU,
# which needs nothing else and compiles nothing, and writes a report.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/gpu_report.sh --build [FOLDER] [--architecture 90]
#        FOLDER/gpu_report.sh  --run [FOLDER] --out DIR [--budget 540] [--quick]
#        scripts/gpu_report.sh --rehearse --out DIR [--quick]
#   --build      programs, their libraries and the data set into FOLDER (default build/gpu_report), at most 60 MB
#   --run        DIR/report.md, and DIR/logs.tar.gz with all that was printed; both as new as the last step that ended
#   --rehearse   the same without a GPU: what build/cpu has goes into a folder and runs on the double of CUDA and on the CPU
#   --budget     seconds after which --run has ended, whatever is left (a rehearsal: 780 without the filling of its folder, a quick one 80)
#   --quick      the first of each kind of steps, with few epochs
# $PYTHON: the Python that has the peers (default python3). Ends with 1 where a step failed, after all were tried.
set -uo pipefail

script=$(realpath "${BASH_SOURCE[0]}")
say() { printf '==> %s\n' "$*"; }
fail() { say "$*" >&2 && exit 1; }
usage() {
  # shellcheck disable=SC2016
  sed -n 's/^# \{0,1\}//; /^Usage/,/^\$PYTHON/p' "$script" >&2
  exit 2
}

mode='' folder='' out='' budget='' quick='' architecture=90 rehearsal=''
while (($#)); do
  case $1 in
    --build | --run)
      mode=${1#--} && shift
      if (($#)) && [[ $1 != --* ]]; then folder=$1 && shift; fi
      ;;
    --rehearse) mode=rehearse && shift ;;
    --out | --budget | --architecture)
      (($# > 1)) || usage
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    --quick) quick=1 && shift ;;
    *) usage ;;
  esac
done
[[ -n $mode && (-n $out || $mode == build) && ${budget:-1} =~ ^[0-9]+$ ]] || usage

# --- the folder

# Libraries that every Linux has, and CUDA's, which the machine with the GPU has: hundreds of megabytes.
of_the_machine() { [[ $1 =~ ^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|cuda|nvidia-.*|cublas|cublasLt|cudart|cudnn.*)\.so.*)$ ]]; }

# The libraries that an ELF file is linked with, as NAME PATH.
libraries_of() { ldd "$1" | awk '$2 == "=>" { print $1, ($3 == "not" ? "missing" : $3) }'; }

# fill FOLDER BUILD OPTION BACKEND...: programs and libraries of a build tree, in an archive that xz makes with this option;
# data; what runs them.
fill() {
  local into=$1 build=$2 xz=$3 backends=("${@:4}") name path found topic
  [[ ! -e $into || -f $into/programs.txt || -z $(ls -A "$into" 2>&1) ]] ||
    fail "$into is there and was not made by this script: name a folder that is new or empty"
  rm -rf "$into" && mkdir -p "$into"/{programs,data/fashion-mnist,golden,peers} && touch "$into/programs.txt" || return
  local programs=("$build"/samples/{fashion_mnist,device_report} "$build"/benchmarks/{epoch_benchmark,gpu_steps}
    "$build"/tests/static_model)
  while read -r topic; do programs+=("$build/tests/${topic}_test"); done < <(
    ctest --test-dir "$build" -N -L '^gpu$' | sed -n 's|^ *Test *#[0-9]*: gpu/||p' |
      grep -vxE 'static_model|thrust_on_a_gpu')
  if [[ -x $build/tests/thrust_on_a_gpu ]]; then programs+=("$build/tests/thrust_on_a_gpu"); fi
  for path in "${programs[@]}" "${backends[@]}"; do
    strip --strip-unneeded -o "$into/programs/$(basename "$path")" "$path" || return
  done
  if [[ -z $rehearsal ]]; then
    for path in "${programs[@]}" "${backends[@]}"; do libraries_of "$path"; done | LC_ALL=C sort -u | while read -r name path; do
      if of_the_machine "$name"; then continue; fi
      [[ $path != missing ]] || fail "$name is not found: install it, or what needs it cannot be carried"
      cp -L "$path" "$into/programs/$name" || exit
    done || return
    for path in "${programs[@]}" "${backends[@]}"; do
      while read -r name found; do
        of_the_machine "$name" || [[ $found == "$(realpath "$into")"/* ]] ||
          fail "$(basename "$path") would load $found, which is not in the folder"
      done < <(libraries_of "$into/programs/$(basename "$path")")
    done
  fi
  LC_ALL=C ls "$into/programs" >"$into/programs.txt"
  # One after another what is alike: the archive's dictionary then finds it again.
  tar -C "$into" -cf - programs | xz "$xz" >"$into/programs.tar.xz" && rm -r "$into/programs" || return
  local data
  for data in data "${GLIA_DATA_DIR:-data}" /usr/share/datasets; do
    if [[ -d $data/fashion-mnist ]]; then break; fi
  done
  cp "$data"/fashion-mnist/*-ubyte.gz "$into/data/fashion-mnist" || fail "no Fashion-MNIST: install dataset-fashion-mnist"
  cp tests/golden/*.safetensors "$into/golden" && cp benchmarks/gpu_epochs.py "$into" && cp benchmarks/peers/*.py "$into/peers" &&
    cp "$script" "$into/gpu_report.sh" || return
  printf '%s%s\n' "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" \
    "$([[ -z $(git status --porcelain 2>/dev/null) ]] || echo ', changed')" >"$into/commit"
}

build() {
  cd "$(dirname "$script")/.." || exit
  # shellcheck source=scripts/setup.sh
  source scripts/setup.sh test
  folder=${folder:-build/gpu_report}
  find_nvcc || fail "no nvcc here: CUDA's toolkit compiles what the machine with the GPU runs"
  # An old-style run path serves the libraries' libraries too.
  say "Building for sm_$architecture (some minutes the first time)"
  quietly build/gpu/configure.log cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DGLIA_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES="$architecture-real" -DGLIA_CUDA_DOUBLE=OFF "-DCMAKE_BUILD_RPATH=\$ORIGIN" \
    -DCMAKE_SKIP_INSTALL_RPATH=ON -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags \
    -DCMAKE_MODULE_LINKER_FLAGS=-Wl,--disable-new-dtags || exit
  quietly build/gpu/build.log cmake --build build/gpu || exit
  say "Packing"
  fill "$folder" build/gpu -9 build/gpu/libglia_cuda.so || fail "the folder could not be filled"
  local bytes
  bytes=$(du -sb "$folder" | cut -f1)
  ((bytes <= 60000000)) || fail "$folder has $bytes bytes, more than 60,000,000"
  say "$folder: $bytes bytes, $(wc -l <"$folder/programs.txt") programs and libraries"
  say "on the machine with the GPU: bash $(basename "$folder")/gpu_report.sh --run --out DIR"
}

# --- steps; each runs in a shell of its own, with the functions and variables that are exported below

device_report() { "$bin/device_report" --device cuda; }
explain() { "$bin/gpu_steps" explain --batch "$few"; }
small() { "$bin/gpu_steps" small; }

# One epoch twice: how good, and whether it is the same to the bit.
fashion_mnist() {
  local run
  for run in first second; do
    "$bin/fashion_mnist" --device cuda --epochs 1 --verbose 2 --validation-split 0 --images "$images" \
      --save "$work/$run.safetensors" >"$work/$run.log" 2>&1 || { cat "$work/$run.log" && return 1; }
  done
  grep -E '^(Epoch|Test:|[0-9]+/)' "$work/first.log"
  (cd "$work" && sha256sum first.safetensors second.safetensors)
  cmp "$work/first.safetensors" "$work/second.safetensors" || { echo "two runs differ" && return 1; }
  awk -v least="$least_accuracy" '/^Test:/ && match($0, /"accuracy": [0-9.]+/) { found = substr($0, RSTART + 12, RLENGTH - 12) }
    END { if (found + 0 < least) { print "the accuracy is below " least; exit 1 } }' "$work/first.log"
}

# kernels MODEL PRECISION STEPS: how long each kernel of a step takes. What runs less often than once a step is preparation.
kernels() {
  local csv=$logs/kernels-$1-$2.csv
  "$ncu" --clock-control none --metrics gpu__time_duration.sum --print-units base --csv --log-file "$csv" \
    "$bin/gpu_steps" run --model "$1" --precision "$2" --steps "$3" --batch "$few" >&2 || return
  printf '| kernel | launches a step | median us | us a step |\n|---|---|---|---|\n'
  awk -F '","' '/^"ID"/ { for (i = 1; i <= NF; ++i) { gsub(/"/, "", $i); column[$i] = i }; next }
      /^"[0-9]/ { gsub(/"/, "", $NF); value = $column["Metric Value"]; gsub(/,/, "", value)
                  print substr($column["Kernel Name"], 1, 140) "\t" value / ($column["Metric Unit"] ~ /^u/ ? 1 : 1000) }' "$csv" |
    LC_ALL=C sort -t $'\t' -k1,1 -k2,2n |
    awk -F '\t' -v steps="$3" '
      function end() { if (!n) return
        each = int(n / steps); if (!each) { ++rare; return }
        printf "%.2f\t| `%s` | %d | %.2f | %.2f |\n", each * time[int((n + 1) / 2)], name, each, time[int((n + 1) / 2)], each * time[int((n + 1) / 2)]
        sum += each * time[int((n + 1) / 2)]; launches += each }
      $1 != name { end(); name = $1; n = 0 } { time[++n] = $2 }
      END { end(); printf "-1\t| all of a step | %d | | %.2f |\n", launches, sum; if (!launches) exit 1 }' |
    LC_ALL=C sort -rn | cut -f2-
  return "${PIPESTATUS[2]}"
}

# suite PROGRAM: its half for CUDA, in one process. All skipped is a failure: then there was no GPU.
suite() { "$bin/$1" "$of_cuda" --gtest_brief=1; }

epochs() { "$bin/epoch_benchmark" --device "$timed" --epochs "$some" --rows "$rows"; }
peers() { "$python" "$folder/gpu_epochs.py" "$bin/epoch_benchmark" --device "$timed" --epochs "$some" --rows "$rows"; }

# images_epoch OPTION...: an epoch of a network of images.
images_epoch() {
  "$bin/fashion_mnist" --device "$timed" --epochs 1 --verbose 2 --validation-split 0 --images "$images" "$@" |
    grep -E '^(Epoch|Test:|[0-9]+/)'
  return "${PIPESTATUS[0]}"
}

# sanitize TOOL [PROGRAM FILTER]: under these tools everything runs ten to a hundred times slower.
sanitize() {
  "$sanitizer" --tool "$1" --error-exitcode 9 "$bin/${2:-program_test}" "${3:+--gtest_filter=}${3:-$of_cuda}" --gtest_brief=1
}
static_model() { "$bin/static_model" && echo "ended in peace"; }
thrust() { "$bin/thrust_on_a_gpu" && echo "vectors and tensors share memory"; }

# --- the report

# step NAME LIMIT HOW TITLE COMMAND...: runs a step for LIMIT seconds at most, and writes the report anew. HOW its output goes
# into the report: as it is (markdown), as code, as counts of tests, or not at all (log).
step() {
  local name=$1 limit=$2 how=$3 title=$4 start=$SECONDS status=0 result remark=''
  shift 4
  local left=$((deadline - SECONDS))
  if ((left < 5)); then
    echo "| $name | left out: the time was over | | |" >>"$work/rows"
    return
  fi
  limit=$((limit * patience))
  if ((limit > left)); then limit=$left; fi
  say "$name"
  timeout -k 2 "$limit" bash -c 'set -uo pipefail; "$@"' step "$@" >"$logs/$name.out" 2>"$logs/$name.err" || status=$?
  case $status in
    0) result=passed ;;
    77) result='**failed**: every test was skipped, so there was no device' ;;
    124 | 137) result="**failed**: not done after $limit s" ;;
    *) result="**failed** ($status)" ;;
  esac
  if [[ $how == tests ]]; then
    remark=$(awk '/^\[  [A-Z]+ +\] [0-9]+ test/ { s = s ", " $4 " " tolower($2) }
      END { print substr(s, 3) }' "$logs/$name.out")
  fi
  printf '| %s | %s | %d s | %s |\n' "$name" "$result" $((SECONDS - start)) "$remark" >>"$work/rows"
  if [[ -n $title && -s $logs/$name.out ]]; then
    printf '\n## %s\n\n' "$title"
    if [[ $how == code ]]; then printf '```\n'; fi
    tail -c 200000 "$logs/$name.out"
    if [[ $how == code ]]; then printf '```\n'; fi
  fi >>"$work/sections"
  if ((status != 0)); then
    failures+=("$name")
    # shellcheck disable=SC2016
    printf '\n## Failed: %s\n\n```\n%s\n```\n' "$name" "$(cat "$logs/$name.out" "$logs/$name.err" | tail -n 60 | tail -c 20000)" \
      >>"$work/failures"
  fi
  write_report
}

# Both files whole or not at all.
write_report() {
  cat "$work"/{head,rows,sections,failures} >"$out/.report.md" && mv "$out/.report.md" "$out/report.md"
  find "$logs" -type f -size +2M -exec sh -c 'tail -c 1000000 "$1" >"$1.end" && mv "$1.end" "$1"' shorten {} \;
  tar -C "$work" -czf "$out/.logs.tar.gz" logs && mv "$out/.logs.tar.gz" "$out/logs.tar.gz"
}

head_of_report() {
  echo "# Glia on $gpu, $(date -u +%F)"
  echo
  echo "| | |"
  echo "|---|---|"
  if [[ -z $rehearsal ]]; then
    echo "| GPU, driver, memory | $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -n1) |"
  fi
  echo "| processor | $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n1), $(nproc) threads |"
  echo "| commit | $(cat "$folder/commit") |"
  echo
  echo "| step | | | |"
  echo "|---|---|---|---|"
}

# Puts CUDA's libraries beside the programs, whose run path finds them there: from this machine's toolkit, else from Python's
# packages. A variable of the environment would give them to the peers too.
link_cuda_libraries() {
  local place library
  for place in "${CUDA_HOME:-/usr/local/cuda}"/lib64 /usr/local/cuda*/lib64 $("$python" -c \
    'import nvidia, pathlib; print(*(f for p in nvidia.__path__ for f in pathlib.Path(p).glob("*/lib")))' 2>/dev/null); do
    for library in "$place"/lib{cudart,cublas,cublasLt,cudnn*,nvrtc*}.so.*; do
      if [[ -e $library && ! -e $bin/${library##*/} ]]; then ln -s "$library" "$bin"; fi
    done
  done
}

# first_of NAME PATTERN: a tool on PATH or where it is installed; nothing where there is none.
first_of() { command -v "$1" || compgen -G "$2" | sort -V | tail -n1; }

run() {
  if [[ -z $folder && ! -f ${script%/*}/programs.tar.xz ]]; then folder=${script%/*}/../build/gpu_report; fi
  folder=$(realpath "${folder:-${script%/*}}")
  [[ -f $folder/programs.tar.xz ]] || fail "$folder is no folder that --build made"
  budget=${budget:-540} SECONDS=0
  deadline=$((budget - 6)) # what the last step's report and archive take
  mkdir -p "$out" && out=$(realpath "$out") || exit
  work=$(mktemp -d) logs=$work/logs bin=$work/programs python=${PYTHON:-python3} failures=()
  trap 'rm -rf "$work"' EXIT
  mkdir "$logs" && touch "$work"/{rows,sections,failures}
  tar -C "$work" -xJf "$folder/programs.tar.xz" || "$python" -m tarfile -e "$folder/programs.tar.xz" "$work" || fail "the programs could not be unpacked"
  export GLIA_DATA_DIR=$folder/data GLIA_GOLDEN_DIR=$folder/golden

  if [[ -n $rehearsal ]]; then
    # What is heavy runs on the CPU, where the double would take hours.
    gpu='no GPU: a rehearsal' timed=cpu rows=1024 some=1 few=2 images=600 least_accuracy=0.2
    patience=4 profiled=(2 2 2) ncu=$work/ncu sanitizer=''
    # Nothing of the double is to be seen that a GPU's backend would not show.
    export GLIA_CUDA_LIBRARY=$bin/libglia_cuda_double_hidden.so GLIA_CUDA_RUNTIME=$bin/libglia_cuda_double.so
    stand_in_for_ncu >"$ncu" && chmod +x "$ncu"
  else
    gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n1)
    [[ -n $gpu ]] || fail "no GPU here: nvidia-smi names none, so there is nothing to report"
    timed=cuda rows=60000 some=$([[ -n $quick ]] && echo 3 || echo 7) few=0 images=0 least_accuracy=0.8
    patience=1 profiled=(50 20 10)
    ncu=$(first_of ncu '/opt/nvidia/nsight-compute/*/ncu')
    sanitizer=$(first_of compute-sanitizer '/usr/local/cuda*/bin/compute-sanitizer')
    export GLIA_CUDA_LIBRARY=$bin/libglia_cuda.so
    link_cuda_libraries
  fi
  of_cuda='--gtest_filter=*/*cuda*-*OnTheDouble*' # those control the double
  export of_cuda bin logs work folder python timed rows some few images least_accuracy ncu sanitizer
  # shellcheck disable=SC2046
  export -f $(compgen -A function)
  head_of_report >"$work/head"

  local suites=(program determinism convolution mixed_precision) golden=() others=() name
  while read -r name; do
    case $name in
      golden*_test) golden+=("${name%_test}") ;;
      *_test)
        if [[ " ${suites[*]} " == *" ${name%_test} "* ]]; then continue; fi
        if "$bin/$name" "$of_cuda" --gtest_list_tests | grep . >/dev/null; then others+=("${name%_test}"); fi
        ;;
    esac
  done <"$folder/programs.txt"
  if [[ -n $quick ]]; then suites=(program) golden=(golden) others=(); fi

  # In the order of what tells most.
  step device 60 code "Device" device_report
  step explain 120 markdown "What a training step becomes" explain
  step small 90 markdown "Small and odd networks, on the device and on the CPU" small
  step fashion-mnist 90 code "Fashion-MNIST, 784-128-10, one epoch, twice" fashion_mnist
  profile mlp float32 "${profiled[0]}" "784-128-10, batch 32"
  for name in "${suites[@]}"; do step "$name" 90 tests '' suite "${name}_test"; done
  step epochs 60 code "Seconds of an epoch" epochs
  if command -v "$python" >/dev/null; then
    step peers 150 markdown "Seconds of an epoch, beside peers" peers
  else
    echo "| peers | left out: no Python | | |" >>"$work/rows"
  fi
  step cnn 60 code "Fashion-MNIST, a textbook's convolutional network, one epoch" images_epoch --model cnn --batch-size 64
  if [[ -z $quick ]]; then
    profile cnn float32 "${profiled[1]}" "a textbook's convolutional network, batch 64"
    for name in float32 tf32 mixed_bfloat16; do
      step "resnet-$name" 60 code "Fashion-MNIST, nine residual layers, $name, one epoch" \
        images_epoch --model resnet --batch-size 128 --precision "$name"
    done
    profile resnet mixed_bfloat16 "${profiled[2]}" "nine residual layers, batch 128, mixed_bfloat16"
  fi
  for name in "${golden[@]}"; do step "$name" 60 tests '' suite "${name}_test"; done
  sanitized memcheck
  step static-model 30 log '' static_model
  if [[ -z $rehearsal && -x $bin/thrust_on_a_gpu ]]; then step thrust 30 log '' thrust; fi
  for name in "${others[@]}"; do
    if [[ -n $rehearsal && $name == accuracy ]]; then
      echo "| $name | left out: it trains on all images, hours on the double | | |" >>"$work/rows"
    else
      step "$name" 60 tests '' suite "${name}_test"
    fi
  done
  if [[ -z $quick ]]; then
    sanitized initcheck
    sanitized racecheck
    sanitized synccheck
    sanitized memcheck convolution_test '*The_same_bits*cuda*:*A_sequence_of_steps*cuda*'
  fi
  write_report

  say "the report: $out/report.md, after $SECONDS s"
  ((SECONDS <= budget)) || failures+=("the budget of $budget s")
  if ((${#failures[@]})); then fail "failed: ${failures[*]}"; fi
}

# profile MODEL PRECISION STEPS TITLE
profile() {
  if [[ -n $ncu ]]; then step "kernels-$1" 90 markdown "Kernels of a step, $4" kernels "$1" "$2" "$3"; else
    echo "| kernels-$1 | left out: no Nsight Compute (ncu) | | |" >>"$work/rows"
  fi
}

# sanitized TOOL [PROGRAM FILTER]
sanitized() {
  local name=$1${2:+-${2%_test}}
  if [[ -n $sanitizer ]]; then step "$name" 120 tests '' sanitize "$@"; else
    echo "| $name | left out: no compute-sanitizer | | |" >>"$work/rows"
  fi
}

# A rehearsal's Nsight Compute: runs the program, and writes what the real one would of a kernel that runs in every step and
# of one that does not.
stand_in_for_ncu() {
  cat <<'END'
#!/usr/bin/env bash
while [[ ! -x $1 ]]; do
  if [[ $1 == --log-file ]]; then log=$2; fi
  shift
done
"$@" || exit
{
  echo '==PROF== Connected to process 1'
  echo '"ID","Process ID","Kernel Name","Context","Stream","Metric Name","Metric Unit","Metric Value"'
  for id in 0 1 2 3 4 5; do
    echo "\"$id\",\"1\",\"void stand_in<float, 1>(float *)\",\"1\",\"7\",\"gpu__time_duration.sum\",\"ns\",\"1,$((100 * id))\""
  done
  echo '"6","1","prepare(int)","1","7","gpu__time_duration.sum","ns","900"'
} >"$log"
END
}

rehearse() {
  rehearsal=1 budget=${budget:-$([[ -n $quick ]] && echo 80 || echo 780)}
  mkdir -p "$out" && out=$(realpath "$out") || exit
  cd "$(dirname "$script")/.." || exit
  local double=build/cpu/tests/cuda_double/libglia_cuda_double
  [[ -f ${double}_hidden.so ]] || fail "build/cpu has no double of CUDA: scripts/test.sh builds it where CUDA's headers are"
  folder=$out/folder
  fill "$folder" build/cpu -0T0 "$double.so" "${double}_hidden.so" || fail "the folder could not be filled"
  run
}

"$mode"
