#!/bin/sh
# Prints the path of a Chromium for the tests of the web interface: of the one that is installed, else of Debian's
# package, which is installed if that needs no password. Prints nothing, and says why, where neither can be had.
set -u
for name in chromium chromium-browser google-chrome; do
    if found=$(command -v "$name"); then
        echo "$found"
        exit
    fi
done
root=
[ "$(id -u)" = 0 ] || root="sudo -n"
log=$(mktemp)
if ! { $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    chromium fonts-dejavu-core; } >"$log" 2>&1; then
    echo "chromium cannot be had: $(tail -n 1 "$log")" >&2
fi
rm -f "$log"
command -v chromium
exit 0
