#!/usr/bin/env bash
# Prints how large the libraries of a build are.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/sizes.sh BUILD
set -euo pipefail

for library in "${1:?sizes.sh: give the build folder, for instance build/cpu}"/libglia*; do
  if [[ -f $library && ! -L $library ]]; then
    printf '    %-20s %7.1f MB\n' "$(basename "$library")" "$(awk -v bytes="$(stat -c %s "$library")" 'BEGIN { print bytes / 1e6 }')"
  fi
done
