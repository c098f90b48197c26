#!/bin/sh
# Prints the directory of a promtool: of the one that is installed, else of one that is unpacked from Debian's package
# into .cache, which needs no root. Prints nothing, and says why, where neither can be had.
set -u
cd "$(dirname "$0")/.."
if found=$(command -v promtool); then
    dirname "$found"
    exit
fi
cache=$PWD/.cache/prometheus
if [ ! -x "$cache/usr/bin/promtool" ]; then
    mkdir -p "$cache" && cd "$cache" || exit
    if ! { apt-get download prometheus && dpkg --extract prometheus_*.deb .; } >log 2>&1; then
        echo "promtool cannot be had: $(tail -n 1 log)" >&2
        exit
    fi
    rm -f prometheus_*.deb
fi
echo "$cache/usr/bin"
