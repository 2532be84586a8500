#!/usr/bin/env bash
# What is skipped on a GPU must need the double: a suite derived from DoubleTest is named ...OnTheDouble, and each of its cases
# calls controls(). Prints how many such cases there are, and how many others are of CUDA alone.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
awk '
  function complain(what) { print FILENAME ":" what; ++wrong }
  function end_case() {
    if (is_double && !asks) complain(begin ": no control of the double is needed here: make it a case of a CudaTest")
    is_double = 0
  }
  /^class [A-Za-z0-9_]+ : public (test::)?DoubleTest/ && $2 !~ /^Cuda.*OnTheDouble$/ {
    complain(FNR ": a suite of the double alone is to be named Cuda...OnTheDouble")
  }
  /^class [A-Za-z0-9_]+ : public (test::)?(CudaTest|ApplicationTest)/ {
    if ($2 !~ /^Cuda/ || $2 ~ /OnTheDouble$/) complain(FNR ": a suite of CUDA alone is to be named Cuda...")
    of_cuda[$2] = 1
  }
  /^TEST_P\(/ {
    end_case()
    suite = $0
    gsub(/^TEST_P\(|,.*/, "", suite)
    begin = FNR
    asks = 0
    is_double = suite ~ /OnTheDouble$/
    if (is_double) ++doubles
    if (suite in of_cuda) ++others
  }
  /controls\(\)/ { asks = 1 }
  /^}/ { end_case() }
  END {
    print doubles + 0 " cases need the double, " others + 0 " of CUDA alone run on a GPU too"
    exit wrong > 0 || doubles == 0 || others == 0
  }' ./*_test.cpp
