"""The headers that a user may set on a request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

MAX_HEADERS = 64
MAX_HEADER_BYTES = 16 * 1024
RESERVED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-scheduler-attempt",
        "x-scheduler-run-id",
    }
)
"""Headers that the service sets, or that change how the connection is used."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers. Raise `ValidationError` that names each wrong one."""
    if wrong := list(_faults(headers)):
        raise ValidationError.from_exception_data("headers", wrong)
    if (size := sum(len(name) + len(value) + 4 for name, value in headers.items())) > MAX_HEADER_BYTES:
        raise ValueError(f"take {size} bytes together, and the limit is {MAX_HEADER_BYTES}; shorten them")
    return headers


def _faults(headers: Mapping[str, str]) -> Iterator[InitErrorDetails]:
    seen: set[str] = set()
    for name, value in headers.items():
        fault = _fault_of_name(name, seen) or _fault_of_value(value)
        seen.add(name.lower())
        if fault is not None:
            custom = PydanticCustomError("header", "{text}", {"text": fault})
            yield InitErrorDetails(type=custom, loc=(name,), input=value)


def _fault_of_name(name: str, seen: set[str]) -> str | None:
    if not _NAME.fullmatch(name):
        return "invalid header name; use letters, digits and hyphens, without spaces or line breaks"
    if name.lower() in RESERVED:
        return "the service sets this header or the connection depends on it; remove it"
    return "this header is there twice, in another case; header names have no case" if name.lower() in seen else None


def _fault_of_value(value: str) -> str | None:
    if _CONTROL.search(value):
        return "must not contain line breaks or control characters"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "must contain only characters of Latin-1; encode others, for example by percent-encoding"
    return None
