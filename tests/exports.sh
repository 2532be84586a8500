#!/usr/bin/env bash
# What libglia.so exports: names of include/glia and C functions glia_*, all of one version; nothing of the standard library's nor
# of its dependencies', and no class that include/glia only names. And the library is no larger than it may be.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: exports.sh LIBRARY SOURCE_ROOT NM STRIP VERSION LARGEST      (VERSION: 0.1; LARGEST: bytes of the stripped library)
set -euo pipefail
export LC_ALL=C

library=$1 root=$2 nm=$3 strip=$4 version=$5 largest=$6
failures=0
# none MESSAGE: fails where the standard input has any line.
none() {
  local lines
  lines=$(sort -u | head -n 20)
  if [[ -n $lines ]]; then
    printf '%s: %s:\n%s\n' "$library" "$1" "$lines" >&2
    failures=1
  fi
}

versioned=$("$nm" -D --defined-only --with-symbol-versions "$library" | awk '$2 != "A" { print $3 }')
names=$(cut -d@ -f1 <<<"$versioned")
plain=$(c++filt <<<"$names")
none "names without the version GLIA_$version" < <(grep -vE "@@GLIA_$version\$" <<<"$versioned")
none "names that are neither in namespace glia nor of its C interface (cmake/exports.map.in)" \
  < <(grep -vE '^(_ZN[KOR]*4glia|_ZT[ISTV]N4glia|_ZT[hv].*_NK?4glia|glia_)' <<<"$names")

# What programs call must be there.
for wanted in 'glia::Sequential::Sequential(' 'glia::Model::compile(' 'glia::Tensor::~Tensor()' 'typeinfo for glia::ValueError' \
  'vtable for glia::Callback'; do
  grep -qF "$wanted" <<<"$plain" || none "does not export a name that programs need" <<<"$wanted"
done

# `Name` and `name_space` of each glia::Name and glia::name_space::..., and every word of the public headers.
owners=$(sed -E 's/^(non-virtual|virtual) thunk to //; s/^[a-z ]+ for //; s/[<(].*//' <<<"$plain" |
  sed -nE 's/^(.* )?glia::([A-Za-z_0-9]+).*/\2/p' | sort -u)
public=$(find "$root/include/glia" -name '*.h' -exec cat {} + | sed 's|//.*||')
none "exports what include/glia does not have; leave its visibility alone" \
  < <(comm -23 <(echo "$owners") <(grep -oE '[A-Za-z_0-9]+' <<<"$public" | sort -u))
named=$(sed -nE 's/^ *(class|struct) ([A-Za-z_0-9]+);.*/\2/p' <<<"$public" | sort -u)
defined=$(sed -nE 's/^ *(class|struct) (\[\[.*\]\] )?([A-Za-z_0-9]+)([ :<{][^;]*)?$/\3/p; s/^ *(class|struct) (\[\[.*\]\] )?([A-Za-z_0-9]+)[^;]*\{.*/\3/p' \
  <<<"$public" | sort -u)
internal=$(comm -23 <(echo "$named") <(echo "$defined"))
for name in Core LayerNode; do # of which it is known
  grep -qx "$name" <<<"$internal" || none "is no longer a class that include/glia only names, as far as this test sees" <<<"$name"
done
none "exports classes that include/glia only names; define them as class GLIA_HIDDEN Name" \
  < <(comm -12 <(echo "$owners") <(echo "$internal"))

copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
"$strip" -o "$copy" "$library"
bytes=$(stat -c %s "$copy")
if ((bytes > largest)); then none "is too large" <<<"$bytes bytes stripped, at most $largest expected"; fi
echo "$(wc -l <<<"$names") names are exported, of $(wc -l <<<"$owners") classes, functions and namespaces; $bytes bytes stripped"
exit "$failures"
