"""The result of a request: what the run keeps of the response."""

from __future__ import annotations

import base64
import codecs
import re
from email.message import Message
from typing import Any

from scheduler_service.payloads.http_program.connection import Timing
from scheduler_service.payloads.http_program.exchange import Response

MAX_KEPT_BODY_BYTES = 8 * 1024
MAX_KEPT_HEADERS_BYTES = 8 * 1024
MAX_KEPT_VALUE = 1024
HIDDEN = "(not kept)"
_SECRET = re.compile(r"cookie|auth|token|secret|passw|session|signature|credential|(^|-)key|api-?key", re.IGNORECASE)
_UNSTORABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def result_of(response: Response, timing: Timing) -> dict[str, Any]:
    """Return the result of a run. Values of response headers that may be secrets are left out."""
    return {
        "url": response.url,
        "redirects": list(response.redirects),
        "status": response.status,
        "headers": _headers(response),
        "timing": timing.rounded(),
        "body_bytes": len(response.body),
        "body_truncated": response.is_cut or len(response.body) > MAX_KEPT_BODY_BYTES,
        **_body(response),
    }


def _headers(response: Response) -> dict[str, str]:
    kept: dict[str, str] = {}
    size = 0
    for name, value in response.headers:
        if (size := size + len(name) + len(value)) > MAX_KEPT_HEADERS_BYTES:
            break
        key, shown = _printable(name.lower()), HIDDEN if _SECRET.search(name) else _printable(value)
        kept[key] = f"{kept[key]}, {shown}"[:MAX_KEPT_VALUE] if key in kept else shown
    return kept


def _body(response: Response) -> dict[str, str]:
    """Return the beginning of the body: as text if it is text, else in base64."""
    head = response.body[:MAX_KEPT_BODY_BYTES]
    is_whole = len(response.body) == len(head) and not response.is_cut
    try:
        # A character that the end cuts in two is left out.
        text = codecs.getincrementaldecoder(_charset(response))().decode(head, is_whole)
    except (LookupError, ValueError):
        text = None
    if text is None or _UNSTORABLE.search(text):
        return {"body": base64.b64encode(head).decode(), "body_encoding": "base64"}
    return {"body": text, "body_encoding": "text"}


def _charset(response: Response) -> str:
    message = Message()
    message["content-type"] = next((value for name, value in response.headers if name.lower() == "content-type"), "")
    return message.get_content_charset("utf-8")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:MAX_KEPT_VALUE])
