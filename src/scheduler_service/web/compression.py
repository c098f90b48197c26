"""Compresses pages, which shrink to a tenth.

A compressed page could reveal its form token by its length to somebody who makes a browser request it many times with
guesses in the address (the attack BREACH). The session's cookie is not sent with requests of other sites, so they
only ever get the page that leads to the login.
"""

from __future__ import annotations

import gzip

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

# A higher level takes twice as long and saves a twentieth.
_LEVEL = 4


def compressed(request: Request, html: str, status: int) -> Response:
    """Return a page, compressed if the client accepts it."""
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(html, status, headers)
    headers["Content-Encoding"] = "gzip"
    return HTMLResponse(gzip.compress(html.encode(), _LEVEL, mtime=0), status, headers)
