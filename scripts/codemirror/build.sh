#!/usr/bin/env bash
# Builds static/vendor/codemirror.min.js and its licences, from the packages that package-lock.json pins by hash.
# It needs Node and npm; the result is committed, so neither `make` nor users need them. Enter its hash in vendor.lock.
set -euo pipefail
cd "$(dirname "$0")"
vendor=../../src/scheduler_service/web/static/vendor
npm ci --ignore-scripts --no-audit --no-fund
npx --no-install esbuild entry.js --bundle --format=esm --minify --target=es2022 --legal-comments=none \
    --outfile="$vendor/codemirror.min.js"
for package in node_modules/@codemirror/* node_modules/@lezer/* node_modules/@marijn/* node_modules/crelt \
    node_modules/style-mod node_modules/w3c-keyname; do
    printf '%s\n\n%s\n\n' "${package#node_modules/}" "$(cat "$package/LICENSE")"
done > "$vendor/codemirror.LICENSE"
sha256sum "$vendor/codemirror.min.js" "$vendor/codemirror.LICENSE"
