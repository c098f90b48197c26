"""Responses for clients whose request never reaches the application, as bytes."""

from __future__ import annotations

import json
from http import HTTPStatus

_TITLES = {431: "Request Header Fields Too Large", 408: "Request Timeout", 503: "Service Unavailable"}


def problem_bytes(status: int, detail: str, header: str = "") -> bytes:
    """Return a problem document as a whole response that closes the connection; `header` is a line of its head."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"{header}Connection: close\r\n\r\n"
    )
    return head.encode() + body
