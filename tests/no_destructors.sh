#!/usr/bin/env bash
# Fails if an object destroys statics at exit: whoever is destroyed later could still call it.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: no_destructors.sh NM OBJECT...
set -euo pipefail

nm=$1
shift
(($# > 0)) || { echo "no_destructors: no object given" >&2; exit 1; }

failures=0
for object in "$@"; do
  if "$nm" --undefined-only "$object" | grep -w __cxa_atexit; then
    echo "$object: has statics with destructors; make them references to what is never deleted" >&2
    failures=1
  fi
done
echo "$# objects looked at"
exit "$failures"
