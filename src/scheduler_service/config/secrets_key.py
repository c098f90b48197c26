"""The keys in SCHEDULER_SECRETS_KEY: 32 bytes in base64 each, separated by commas or line ends."""

from __future__ import annotations

import binascii

KEY_BYTES = 32
_REMEDY = "create one with `openssl rand -base64 32`"


def read_keys(text: str) -> tuple[bytes, ...]:
    """Return the keys. Raise `ValueError`, which never shows a key, if one is malformed or there is none."""
    written = text.replace(",", " ").split()
    if not written:
        raise ValueError(f"holds no key; {_REMEDY}")
    keys = tuple(_read_key(number, word) for number, word in enumerate(written, 1))
    if len(set(keys)) < len(keys):
        raise ValueError("holds the same key twice; remove one")
    return keys


def _read_key(number: int, word: str) -> bytes:
    try:
        key = binascii.a2b_base64(word.encode("ascii"), strict_mode=True)
    except ValueError:
        raise ValueError(f"key {number} is not base64; {_REMEDY}") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"key {number} has {len(key)} bytes, and AES-256 needs {KEY_BYTES}; {_REMEDY}")
    return key
