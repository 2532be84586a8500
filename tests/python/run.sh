#!/usr/bin/env bash
# Runs a script with a Python that has a library: $GLIA_PYTHON, python3, or the system's. Where none has it, status 77: a skip.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: run.sh LIBRARY SCRIPT ARGUMENT...
set -euo pipefail

library=$1
shift
for python in "${GLIA_PYTHON:-}" python3 /usr/bin/python3; do
  if [[ -n $python ]] && "$python" -c "import $library" 2>/dev/null; then exec "$python" -B "$@"; fi
done
echo "SKIPPED: no Python here has $library; install it (Debian: python3-$library), or name a Python that has it in \$GLIA_PYTHON"
exit 77
