#!/usr/bin/env bash
# Fuzzes everything that reads files or text of others, with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer (clang).
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/fuzz.sh [--seconds N] [--total N] [--out FILE] [KIND...]
#   --seconds   of each fuzzer in a round; default: 60
#   --total     executions of all of them, for which there are rounds until they are reached; default: one round
#   --out       append a table of the figures, as Markdown, to this file
#   KIND        such as csv or npz: tests/fuzz/KIND_fuzz.cpp; default: all
# What it learns stays in build/fuzz/corpus, and the next run begins with it. A finding ends the script; its input lies in
# build/fuzz/findings: mend it, and make it a test.
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh" test
cd "$glia_root"

seconds=60 total=1 out='' kinds=()
while (($#)); do
  case $1 in
    --total) total=${2:?--total wants a number} && shift 2 ;;
    --seconds) seconds=${2:?--seconds wants a number} && shift 2 ;;
    --out) out=${2:?--out wants a file} && shift 2 ;;
    -*)
      sed -n 's/^# \{0,1\}//; /^Usage/,/mend it/p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
    *) kinds+=("$1") && shift ;;
  esac
done
build=build/fuzz
clang=$(find_clang) || { say "clang++ is not found (Debian: clang libclang-rt-dev)" && exit 1; }

say "Building $build with $clang"
mkdir -p "$build/findings"
quietly "$build/configure.log" cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_COMPILER=$clang" \
  "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" -DGLIA_X86_64_LEVELS=v3 -DGLIA_BUILD_FUZZERS=ON -DGLIA_SANITIZE=address,undefined \
  -DGLIA_CUDA=OFF -DGLIA_BUILD_BOTH=OFF -DGLIA_BUILD_CLI=OFF -DGLIA_BUILD_SAMPLES=OFF -DGLIA_BUILD_BENCHMARKS=OFF
if ((${#kinds[@]} == 0)); then
  for source in tests/fuzz/*_fuzz.cpp; do
    kind=${source##*/}
    kind=${kind%_fuzz.cpp}
    ninja -C "$build" -t query "tests/${kind}_fuzz" >/dev/null 2>&1 && kinds+=("$kind") # else its library is not here
  done
fi
quietly "$build/build.log" cmake --build "$build" --target fuzz_seeds "${kinds[@]/%/_fuzz}"
"$build/tests/fuzz_seeds" "$build/seeds"

# fuzz KIND: adds "KIND executions seconds" to the figures.
fuzz() {
  local kind=$1 log=$build/$1.log status=0 start=$SECONDS malloc_limit=64 asan_options=''
  # HDF5's library asks for what damaged files say, is refused, and forgets to give back what it had.
  [[ $kind != keras ]] || malloc_limit=0 asan_options=allocator_may_return_null=1:max_allocation_size_mb=64:detect_leaks=0
  mkdir -p "$build/corpus/$kind"
  # No file of 4 KB can honestly ask for 64 MB.
  ASAN_OPTIONS=$asan_options "$build/tests/${kind}_fuzz" "-max_total_time=$seconds" -max_len=4096 "-malloc_limit_mb=$malloc_limit" \
    -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 "-artifact_prefix=$build/findings/$kind-" \
    "$build/corpus/$kind" "$build/seeds/$kind" >"$log" 2>&1 || status=$?
  echo "$kind $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") $((SECONDS - start))" >>"$build/figures"
  return "$status"
}

# Of one KIND, or of all: executions and seconds.
sum_of() { awk -v kind="${1:-}" 'kind == "" || $1 == kind {n += $2; s += $3} END {print n + 0, s + 0}' "$build/figures"; }

failed=0
: >"$build/figures"
while read -r executions _ < <(sum_of) && ((failed == 0 && executions < total)); do
  running=0
  for kind in "${kinds[@]}"; do
    fuzz "$kind" &
    running=$((running + 1))
    if ((running == $(nproc))); then
      wait -n || failed=1
      running=$((running - 1))
    fi
  done
  while ((running > 0)); do
    wait -n || failed=1
    running=$((running - 1))
  done
done
table=$(
  printf '| fuzzer | executions | time | inputs kept |\n|---|---|---|---|\n'
  for kind in "${kinds[@]}"; do
    read -r executions time < <(sum_of "$kind")
    echo "| $kind | $executions | $time s | $(find "$build/corpus/$kind" -type f | wc -l) |"
  done
)
echo "$table"
find "$build/findings" -type f
if [[ -n $out ]]; then printf '%s\n\n' "$table" >>"$out"; fi
exit "$failed"
