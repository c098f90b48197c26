"""Refuses forms that another site makes a browser send (cross-site request forgery).

Two checks, both needed. The request must come from a page of this origin: browsers say so in `Sec-Fetch-Site`, and on
plain HTTP away from loopback, where they leave it out, in `Origin`. And the form must contain a token that only a page
of the same session contains. Each page masks the token differently, so that its compression does not reveal the token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import urlsplit

from starlette.requests import Request

TOKEN_FIELD = "csrf_token"  # noqa: S105 (the name of a form field)
_TOKEN_BYTES = 32


def is_same_origin(request: Request) -> bool:
    """Return whether a browser sent this request from a page of this origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def make_token(seed: str) -> str:
    """Return a token for the forms of a session with this seed. Each call returns another one."""
    mask = secrets.token_bytes(_TOKEN_BYTES)
    return urlsafe_b64encode(mask + _xor(mask, _secret(seed))).decode()


def is_valid_token(token: str, seed: str) -> bool:
    """Return whether `make_token` made a token for a session with this seed."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return False
    if len(raw) != 2 * _TOKEN_BYTES:
        return False
    return hmac.compare_digest(_xor(raw[:_TOKEN_BYTES], raw[_TOKEN_BYTES:]), _secret(seed))


def _secret(seed: str) -> bytes:
    return hashlib.sha256(f"form {seed}".encode()).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
