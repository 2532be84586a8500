#!/usr/bin/env bash
# Prints how large libraries are. The build calls it for each that it links.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/sizes.sh LIBRARY...
set -euo pipefail

for library in "$@"; do
  printf '    %-20s %7.1f MB\n' "$(basename "$library")" "$(awk -v bytes="$(stat -Lc %s "$library")" 'BEGIN { print bytes / 1e6 }')"
done
