#!/usr/bin/env bash
# Who may include whom: docs/architecture.md, "The house". Fails for an arrow that points another way. First it puts wrong arrows
# of every kind into a house of its own, and fails where one goes unseen.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: arrows.sh REPOSITORY
set -euo pipefail

# The folders of host/, from the user's call down: one includes what lies below it, itself, and what is on its own line.
floors='
c
reinforcement
plots
energy
training
data io
model
program
graph
layers
weights
tensor
device
cpu
base'

# Arrows that still point upwards: FILE INCLUDED why. There is none, and there are to be none.
known=''

# check ROOT KNOWN: prints what is wrong, each on a line.
check() (
  cd "$1"
  wrong=0
  for entry in host/*; do
    if [[ ! -d $entry ]]; then
      echo "$entry: lies in no folder of host/" && wrong=1
    elif [[ ! $floors =~ [[:space:]]"${entry#host/}"($|[[:space:]]) ]]; then
      echo "$entry: is no folder of the house" && wrong=1
    fi
  done
  grep -rnE --include='*.'{h,hpp,cuh,cu,cpp,c} '^[[:space:]]*#[[:space:]]*include' include kernels host cuda cli samples interchange |
    FLOORS=$floors KNOWN=$2 awk '
      function problem(what) { print where ": includes " target ", " what; wrong = 1 }
      function exists(path, line, found) { found = (getline line < path) >= 0; close(path); return found }
      BEGIN {
        lines = split(ENVIRON["FLOORS"], line, "\n")
        for (i = 1; i <= lines; ++i) {
          rooms = split(line[i], room, " ")
          for (j = 1; j <= rooms; ++j) floor[room[j]] = i
        }
        lines = split(ENVIRON["KNOWN"], line, "\n")
        for (i = 1; i <= lines; ++i)
          if (split(line[i], word, " ")) known[word[1] " " word[2]] = 0
        split("include kernels host cuda cli samples benchmarks tests interchange", name, " ")
        for (i in name) ours[name[i]] = 1
        may["include"] = "include/"
        may["kernels"] = "include/ and kernels/"
        may["host"] = "include/, kernels/ and host/"
        may["cuda"] = "include/, kernels/ and cuda/"
        may["cli"] = "include/ and cli/"
        may["samples"] = "include/ and samples/"
        may["interchange"] = "include/, host/ and interchange/"
        # With what POSIX adds to it for processes that fork (include/glia/process_mark.h).
        c_library = "^(assert|ctype|errno|fenv|float|inttypes|limits|locale|math|pthread|std(arg|def|int|io|lib)|string|time)\\.h$"
      }
      {
        match($0, /^[^:]*:[0-9]*/)
        where = substr($0, 1, RLENGTH)
        target = substr($0, RLENGTH + 2)
        file = where
        sub(/:.*/, "", file)
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
        if (target !~ /^(<[^>]+>|"[^"]+")/) { problem("which is not the name of a file"); next }
        quoted = target ~ /^"/
        target = substr(target, 2)
        sub(/[>"].*/, "", target)
        if (target ~ /^\.\.?\// || target ~ /\/\.\.?\//) { problem("expected its path from the root"); next }
        beside = file
        sub(/[^\/]*$/, "", beside)
        if (quoted && exists(beside target)) target = beside target
        if (target ~ /^glia\//) target = "include/" target

        split(file, from, "/")
        split(target, to, "/")
        if (!(to[1] in ours)) {
          if (file == "include/glia/thrust.h" && target ~ /^(thrust\/|cuda_runtime_api\.h$)/) next
          if (file == "include/glia/process_mark.h" && target == "pthread.h") next  # pthread_atfork
          if (from[1] ~ /^(include|kernels)$/ && target !~ /^[a-z0-9_]+$/ && target !~ c_library)
            problem("but " from[1] "/ takes the standard library alone")
        } else if (index(may[from[1]], to[1] "/") == 0) {
          problem("but " from[1] "/ may include " may[from[1]] " alone")
        } else if (from[1] == "host" && to[1] == "kernels" && file !~ /^host\/cpu\/kernels\//) {
          problem("which are compiled for each instruction set: only host/cpu/kernels/ may")
        } else if (from[1] == "host" && to[1] == "host") {
          arrow = file " " target
          if (!(to[2] in floor)) problem("which is in no folder of the house")
          else if (floor[to[2]] >= floor[from[2]]) next
          else if (arrow in known) known[arrow] = 1
          else problem("but host/" to[2] "/ lies above host/" from[2] "/")
        }
      }
      END {
        for (arrow in known)
          if (!known[arrow]) { print arrow ": is known as an arrow upwards, and is none: take it from the list"; wrong = 1 }
        exit wrong
      }' || wrong=1
  return "$wrong"
)

house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT

# put FILE LINE: a file of the house that holds this line.
put() {
  mkdir -p "$house/$(dirname "$1")"
  printf '%s\n' "$2" >"$house/$1"
}

# must_see FILE LINE TEXT: with this file in the house, check says one thing, which holds TEXT.
must_see() {
  local said
  put "$1" "$2"
  if said=$(check "$house" "$from_known") || [[ $said != *"$3"* || $said == *$'\n'* ]]; then
    printf 'arrows.sh: %s with %s was to be refused with "%s", and check said: %s\n' "$1" "$2" "$3" "${said:-nothing}" >&2
    exit 1
  fi
  rm "$house/$1"
  rmdir --ignore-fail-on-non-empty "$house/$(dirname "$1")"
}

from_known='host/layers/old.h host/model/model.h a reason'
put include/glia/shape.h '#include <vector>'
put include/glia/tensor.h '#include "shape.h"'
put kernels/block.h '#include <glia/shape.h>'
put kernels/map.h '#include <kernels/block.h>'
put host/base/text.h '#include <glia/shape.h>'
put host/cpu/kernels/map.cpp '#include <kernels/map.h>'
put host/cpu/backend.cpp '#include "kernels/map.cpp"'
put host/model/model.h '#include <host/base/text.h>'
put host/model/model.cpp '#include "model.h"'
put host/layers/old.h '#include <host/model/model.h>'
put host/data/csv.h '#include <host/io/file.h>'
put host/io/file.h '#include <zlib.h>'
put host/io/file.cpp '#include <host/data/csv.h>'
put cuda/launch.cuh '#include <kernels/block.h>'
put cuda/kernels.cu '#include "cuda/launch.cuh"'
put include/glia/thrust.h '#include <thrust/device_vector.h>'
put cli/main.cpp '#include "commands.h"'
put cli/commands.h '#include <CLI/CLI.hpp>'
put interchange/onnx/save.cpp '#include <host/io/file.h>'
put samples/common.h '#include <glia/tensor.h>'
put samples/digits.cpp '#include "common.h"'
if ! said=$(check "$house" "$from_known"); then
  printf 'arrows.sh: nothing is wrong in this house, and check said: %s\n' "$said" >&2
  exit 1
fi
must_see host/base/new.h '#include <host/cpu/backend.h>' 'host/cpu/ lies above host/base/'
must_see host/layers/new.h '#include "host/model/model.h"' 'host/model/ lies above host/layers/'
must_see host/layers/new.cpp '  #  include "host/graph/graph.h"  // defines: Graph' 'host/graph/ lies above host/layers/'
must_see host/io/new.h '#include <host/training/fit.h>' 'host/training/ lies above host/io/'
must_see host/io/new.cpp '#include "../training/fit.h"' 'expected its path from the root'
must_see host/io/new.cpp '#include FILE_OF_TRAINING' 'not the name of a file'
must_see host/attic/new.h '#include <vector>' 'host/attic: is no folder of the house'
must_see host/new.h '#include <vector>' 'host/new.h: lies in no folder of host/'
must_see host/base/new.h '#include <host/new.h>' 'in no folder of the house'
must_see host/cpu/new.cpp '#include <kernels/map.h>' 'only host/cpu/kernels/ may'
must_see host/device/new.cpp '#include <cuda/launch.cuh>' 'host/ may include include/, kernels/ and host/ alone'
must_see host/device/new.cpp '#include <samples/common.h>' 'host/ may include include/, kernels/ and host/ alone'
must_see host/device/new.cpp '#include <tests/close.h>' 'host/ may include include/, kernels/ and host/ alone'
must_see cuda/new.cu '#include <host/base/text.h>' 'cuda/ may include include/, kernels/ and cuda/ alone'
must_see kernels/new.h '#include <host/base/text.h>' 'kernels/ may include include/ and kernels/ alone'
must_see kernels/new.h '#include <cuda/launch.cuh>' 'kernels/ may include include/ and kernels/ alone'
must_see kernels/new.h '#include <dnnl.hpp>' 'the standard library alone'
must_see include/glia/new.h '#include <kernels/block.h>' 'include/ may include include/ alone'
must_see include/glia/new.h '#include <host/base/text.h>' 'include/ may include include/ alone'
must_see include/glia/new.h '#include <cuda/launch.cuh>' 'include/ may include include/ alone'
must_see include/glia/new.h '#include <nlohmann/json.hpp>' 'the standard library alone'
must_see include/glia/new.h '#include <thrust/device_vector.h>' 'the standard library alone'
must_see samples/new.cpp '#include <host/base/text.h>' 'samples/ may include include/ and samples/ alone'
must_see samples/new.c '#include <kernels/block.h>' 'samples/ may include include/ and samples/ alone'
must_see samples/new.cpp '#include <benchmarks/random_bytes.h>' 'samples/ may include include/ and samples/ alone'
from_known+=$'\nhost/layers/new.h host/base/text.h a reason'
must_see host/layers/new.h '#include <host/base/text.h>' 'host/base/text.h: is known as an arrow upwards, and is none'

check "$1" "$known" >&2
