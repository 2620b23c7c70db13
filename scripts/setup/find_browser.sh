#!/usr/bin/env bash
# Print the path of a Chromium or Chrome for the browser tests; BIZZAN_BROWSER names another one. With the argument
# `install`, root on a Debian system installs Debian's. Where there is none, say so and what to do.
set -u

look() {
  [ -n "${BIZZAN_BROWSER:-}" ] && echo "$BIZZAN_BROWSER" && return
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" && return
  done
  return 1
}

look && exit 0
if [ "${1:-}" = install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "setup: browser for the tests" >&2
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1
  look && exit 0
fi
echo "the browser tests need Chromium: install the package chromium, or name one in BIZZAN_BROWSER" >&2
exit 1
