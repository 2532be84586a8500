#!/usr/bin/env bash
# Counts what a run of ctest did: each case of a GoogleTest program, and each other test.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/count_tests.sh BUILD [JUNIT]
#   BUILD  its folder test_results has the programs' own reports (see tests/CMakeLists.txt)
#   JUNIT  ctest's report; without it only the cases of GoogleTest are counted, for a reader
# Prints "PASSED FAILED SKIPPED" with JUNIT. A program that failed without a failing case, or left no report, is a failure.
set -euo pipefail
shopt -s nullglob

results=${1:?count_tests.sh: give the build folder, for instance build/cpu}/test_results junit=${2:-}
reports=("$results"/*.xml)
# shellcheck disable=SC2016
awk -v junit="$junit" '
  function attribute(name) {
    return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : ""
  }
  FILENAME != junit {
    if (/<testsuites /) {
      report = FILENAME; sub(/.*\//, "", report); sub(/\.xml$/, "", report)
      all += cases[report] = attribute("tests"); failed += failures[report] = attribute("failures")
    }
    if (/ result="skipped"/) ++skipped
    next
  }
  /<testcase / {
    name = attribute("name"); gsub("/", ".", name); status = attribute("status")
    if (name in cases && status != "fail") next
    if (name in cases && failures[name]) next
    ++all
    if (status == "fail") ++failed
    else if (status != "run") ++skipped
  }
  END {
    passed = all - failed - skipped
    if (junit) printf "%d %d %d\n", passed, failed, skipped
    else printf "%d GoogleTest cases: %d passed, %d failed, %d skipped\n", all, passed, failed, skipped
  }' "${reports[@]}" ${junit:+"$junit"} </dev/null
