#!/usr/bin/env bash
# Print the path of the first Python >= 3.11 on the PATH; print "python3" when there is none.
set -u
probe='import sys; print(sys.executable); sys.exit(sys.version_info < (3, 11))'
for name in python3 python3.11 python3.12 python3.13; do
  path=$("$name" -c "$probe" 2>/dev/null) && echo "$path" && exit 0
done
echo python3
