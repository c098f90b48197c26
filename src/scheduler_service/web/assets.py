"""Static files, bundled, compressed and named by their content, so that browsers keep them for good.

Theory of operation. A bundle is a list of files that are sent as one. It is read once when the process starts. Its URL
contains a hash of its content: a new version has a new URL, and no cache ever shows an old one.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
_FOREVER = "public, max-age=31536000, immutable"
_HASH_CHARACTERS = 12
_MEDIA_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}

BUNDLES: dict[str, tuple[str, ...]] = {
    # In one file, because htmx must not start before its extensions are registered.
    "core.js": ("vendor/htmx.min.js", "vendor/hx-csp.min.js", "vendor/hx-sse.min.js"),
    "app.js": (
        "js/times.js",
        "js/menus.js",
        "js/dialogs.js",
        "js/live.js",
        "js/table.js",
        "js/keys.js",
        "js/editor.js",
        "js/chart.js",
        "js/copy.js",
    ),
    "app.css": (
        "css/tokens.css",
        "css/base.css",
        "css/layout.css",
        "css/parts.css",
        "css/table.css",
        "css/log.css",
        "css/editor.css",
        "css/chart.css",
        "css/print.css",
    ),
    "log.js": ("js/log.js", "js/log_search.js"),
    "pace.js": ("js/pace.js",),
    "uplot.js": ("vendor/uPlot.iife.min.js", "js/uplot.js"),
    "uplot.css": ("vendor/uPlot.min.css",),
    "code.js": ("js/code.js",),
    "codemirror.js": ("vendor/codemirror.min.js",),
    "icon.svg": ("icon.svg",),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """The content of a bundle, and the name under which it is served."""

    name: str
    media_type: str
    body: bytes
    compressed: bytes


@cache
def load_assets() -> dict[str, Asset]:
    """Return the bundles by their plain names."""
    return {name: _load(name, parts) for name, parts in BUNDLES.items()}


def hashed_name(name: str) -> str:
    """Return the name of a bundle with the hash of its content."""
    return load_assets()[name].name


async def serve_asset(request: Request) -> Response:
    """Return a bundle, compressed if the client accepts it."""
    wanted = request.path_params["name"]
    asset = next((asset for asset in load_assets().values() if asset.name == wanted), None)
    if asset is None:
        return Response(status_code=404)
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


def _load(name: str, parts: tuple[str, ...]) -> Asset:
    body = b"\n".join((STATIC / part).read_bytes() for part in parts)
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:_HASH_CHARACTERS]
    return Asset(f"{stem}.{digest}.{suffix}", _MEDIA_TYPES[suffix], body, gzip.compress(body, mtime=0))
