#!/usr/bin/env bash
# Reads the GPU code of the library that was built: kernels that every network's step runs keep loads of global memory in flight in
# the loop that does their work, and have no local memory.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: cuda_loads.sh CUOBJDUMP LIBRARY
set -euo pipefail

least=4
# The kernels, as patterns of demangled names, and which of a kernel's innermost loops is meant: the one that stores, or the one
# that adds (others prepare what these use, or do the rest). Of several the best counts: what is left over has a loop of its own. Where
# there is no such loop, a thread has but one turn, and the whole kernel is looked at.
kernels='
stores BatchNormKernel<float>
stores BatchNormGradientKernel<float
stores BiasActivationKernel<.*float>
stores CombineKernel<float>
stores DerivativeKernel<(Relu|Sigmoid|Tanh), float>
stores MapGradientKernel<(Relu|Sigmoid|Tanh), float>
stores MapKernel<.*float>
stores OptimizeKernel<.*float>
stores PairsGradientKernel<float>
stores PlainBinaryKernel<.*float>
stores PoolKernel<float>
stores ^TransposeKernel<float>
adds BatchNormSumsKernel<float>
adds BatchStatisticsKernel<float
adds ChunkTotalsKernel<float>
adds FewRowsKernel<float>
adds LayerNormWeightsKernel<float>
adds MomentsKernel<float
adds PreluGradientKernel<float>
adds ReduceColumnsKernel<float
adds ReducePatchesKernel<float
adds ReduceRowsKernel<float
'

PATH=$PATH:$(dirname "$1") # for its disassembler, where neither is installed
# Of many architectures one is enough, and takes long enough.
one=()
if [[ $("$1" --list-elf "$2") == *.sm_90.* ]]; then one=(-arch sm_90); fi
"$1" -sass "${one[@]}" "$2" | c++filt | awk -v least="$least" -v kernels="$kernels" '
  BEGIN {
    lines = split(kernels, line, "\n")
    for (i = 1; i <= lines; ++i)
      if (split(line[i], word, " ") >= 2) {
        pattern[++patterns] = substr(line[i], length(word[1]) + 2)
        kind[patterns] = word[1]
      }
  }

  # Of "0x1f0" or "01f0".
  function number(hex, value, i) {
    sub(/^0x/, "", hex)
    value = 0
    for (i = 1; i <= length(hex); ++i) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return value
  }

  # The most loads that are under way at a time in the instructions first .. last, which are taken twice, since a turn may use what
  # the turn before loaded. A load is under way until an instruction names a register that it fills. Loads of less than 16 bytes that
  # lie beside each other count for nothing: they should be one, and so looks a loop over neighbours that never has more than one.
  function in_flight(first, last, pass, i, r, text, name, id, base, place, bytes, most, loads) {
    split("", owner); split("", begin); split("", end); split("", bases); split("", split_up)
    loads = most = 0
    for (pass = 0; pass < 2; ++pass)
      for (i = first; i <= last; ++i) {
        text = " " code[i]
        while (match(text, /[^A-Z]R[0-9]+/)) {
          name = substr(text, RSTART + 2, RLENGTH - 2)
          text = substr(text, RSTART + RLENGTH)
          if (!(name in owner)) continue
          if (owner[name] in bases && !(owner[name] in split_up)) --loads
          delete bases[owner[name]]
          delete owner[name]
        }
        if (code[i] !~ /^(@!?U?P[0-9T]+ )?(LDG|LD)\.E/) continue
        bytes = code[i] ~ /\.128[. ]/ ? 16 : code[i] ~ /E(\.[A-Z]+)*\.64[. ]/ ? 8 : 4
        match(code[i], / R[0-9]+/)
        name = substr(code[i], RSTART + 2, RLENGTH - 2) + 0
        match(code[i], /\[R[^]]*\]/)
        base = substr(code[i], RSTART + 1, RLENGTH - 2)
        place = 0
        if (match(base, /\+-?0x[0-9a-f]+$/)) {
          place = base ~ /\+-/ ? -number(substr(base, RSTART + 2)) : number(substr(base, RSTART + 1))
          base = substr(base, 1, RSTART - 1)
        }
        id = pass "," i
        for (r in bases)
          if (bytes < 16 && bases[r] == base && (begin[r] == place + bytes || end[r] == place)) id = r
        if (!(id in bases)) {
          bases[id] = base; begin[id] = place; end[id] = place + bytes
          if (++loads > most) most = loads
        } else if (!(id in split_up)) {
          split_up[id] = 1
          --loads
        }
        if (place < begin[id]) begin[id] = place
        if (place + bytes > end[id]) end[id] = place + bytes
        for (r = 0; r < bytes / 4; ++r) owner[name + r] = id
      }
    return most
  }

  function has(first, last, what, i) {
    for (i = first; i <= last; ++i)
      if (code[i] ~ what) return 1
    return 0
  }

  # What was found of the kernel whose instructions are 1 .. count.
  function end_kernel(p, i, j, inner, found, flight, best, what) {
    for (p = 1; p <= patterns && function_name !~ (pattern[p] "( |>|,|$)?"); ++p);
    if (!count || p > patterns) return
    ++seen[p]
    what = kind[p] == "stores" ? "(STG|ST)\\.E" : "(FADD|FFMA|DADD|DFMA)"
    found = best = 0
    for (i = 1; i <= count; ++i) {
      if (!(i in target) || target[i] > i) continue
      inner = 1
      for (j = target[i]; j < i; ++j)
        if (j in target && target[j] <= j && target[j] >= target[i]) inner = 0
      if (!inner || !has(target[i], i, what) || !has(target[i], i, "(LDG|LD)\\.E")) continue
      found = 1
      flight = in_flight(target[i], i)
      if (flight > best) best = flight
    }
    if (!found) best = in_flight(1, count)
    if (best < least) {
      print function_name " on " arch ": " best " loads in flight in the " (found ? "loop that " kind[p] : "kernel") ", expected " least
      failed = 1
    }
    if (has(1, count, "(LDL|STL)")) {
      print function_name " on " arch ": uses local memory"
      failed = 1
    }
  }

  function begin_kernel(name) {
    end_kernel()
    function_name = name
    count = 0
    split("", code)
    split("", at)
    split("", target)
  }

  /^arch = / { begin_kernel(""); arch = $3 }
  /Function : / {
    name = $0
    sub(/^.*Function : /, "", name)
    sub(/^void glia::cuda::run</, "", name)
    sub(/ *>\(glia::cuda::KernelParameter\)$/, "", name)
    gsub(/[a-z_]+::/, "", name)
    begin_kernel(name)
  }
  /^[ \t]+\/\*[0-9a-f]+\*\/ / {
    text = $0
    match(text, /\/\*[0-9a-f]+\*\//)
    address = number(substr(text, RSTART + 2, RLENGTH - 4))
    text = substr(text, RSTART + RLENGTH)
    sub(/^ +/, "", text)
    sub(/ *;.*/, "", text)
    code[++count] = text
    at[address] = count
    # Backward: the target was seen already.
    if (text ~ /BRA/ && match(text, /0x[0-9a-f]+$/)) {
      to = number(substr(text, RSTART))
      if (to in at && at[to] < count) target[count] = at[to]
    }
  }
  END {
    end_kernel()
    for (p = 1; p <= patterns; ++p)
      if (!seen[p]) {
        print "the library has no kernel " pattern[p]
        failed = 1
      }
    exit failed + 0
  }'
