#!/usr/bin/env bash
# Check what a machine must bring: Python >= 3.11 with pip, Node >= 20.19 with npm, a C compiler.
# Says everything that is missing at once, and what to do. Arguments: the python and the npm to use.
set -u
python=$1
npm=$2
missing=0

complain() {
  echo "setup: $1" >&2
  missing=1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  complain "Python 3.11 or newer is needed: install it, or name it with 'make PYTHON=/path/to/python3'."
"$python" -m pip --version >/dev/null 2>&1 || [ -x .tools/bin/uv ] ||
  complain "pip of $python is needed: install the package python3-pip."
command -v node >/dev/null 2>&1 &&
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  complain "Node 20.19 or newer is needed: found $(node --version 2>/dev/null || echo none)."
command -v "$npm" >/dev/null 2>&1 || complain "npm is needed: install it beside Node."
command -v cc >/dev/null 2>&1 || complain "a C compiler is needed (the command cc): install gcc or clang."

[ "$missing" = 0 ] || exit 1
