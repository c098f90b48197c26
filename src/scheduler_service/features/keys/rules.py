"""The form of API keys, and when one is valid."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime

from scheduler_service.features.keys.records import ApiKey

_ID_BYTES, _SECRET_BYTES = 6, 32
_FORM = re.compile(r"sk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


def new_key() -> tuple[str, str]:
    """Return a new public id, and the secret that belongs to it: 256 bits of randomness."""
    return secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)


def write_key(public_id: str, secret: str) -> str:
    """Return a key as clients send it."""
    return f"sk_{public_id}_{secret}"


def read_key(text: str) -> tuple[str, str] | None:
    """Return the public id and the secret of a key, or None if the text does not have its form."""
    match = _FORM.fullmatch(text)
    return None if match is None else (match[1], match[2])


def digest_of(secret: str, pepper: bytes) -> str:
    """Return what is stored of a secret: HMAC-SHA256 (RFC 2104) with the installation's own key, in hexadecimal."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def is_same(stored: str, computed: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(stored, computed)


def is_valid_at(key: ApiKey, now: datetime) -> bool:
    """Return whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)
