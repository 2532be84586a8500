#!/usr/bin/env bash
# Fails if a kernel object defines a symbol outside its instruction set's namespace: the linker would merge such a
# function across the builds, and an old processor would meet AVX-512.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: isa_symbols.sh NM ISA=OBJECT OBJECT... ISA=OBJECT ...      (ISA as in GLIA_ISA, for instance x86_64_v4)
set -euo pipefail

nm=$1
shift
(($# > 0)) || { echo "isa_symbols: no object given" >&2; exit 1; }

failures=0 isa=
for object in "$@"; do
  if [[ $object == *=* ]]; then isa=${object%%=*} object=${object#*=}; fi
  # DW.ref.* are the compiler's pointers to the exception handler's entry, the same data in every object.
  symbols=$("$nm" -C --defined-only --extern-only "$object" | sed -E 's/^[0-9a-f]* *//' | grep -v ' DW\.ref\.' || true)
  own=$(grep -c "::$isa::" <<<"$symbols" || true)
  strange=$(grep -v "::$isa::" <<<"$symbols" | grep . || true)
  if [[ $own == 0 ]]; then
    echo "$object: defines nothing in namespace $isa" >&2
    failures=1
  fi
  if [[ -n $strange ]]; then
    printf '%s: these symbols are outside namespace %s; put them in it, or have them inlined:\n%s\n' \
      "$object" "$isa" "$strange" >&2
    failures=1
  fi
  echo "$isa, $(basename "$object"): $own symbols of its own"
done
exit "$failures"
