"""The rules for API_KEY: what a header can carry, and what production demands."""

from __future__ import annotations

import re

DEVELOPMENT_API_KEY = "your-secret-api-key-here"
MIN_LENGTH = 16
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
# RFC 9110, section 5.5: the characters that every header value may hold, without the space.
VISIBLE = re.compile(r"[!-~]+")


def check_api_key(key: str, *, is_production: bool) -> None:
    """Raise ValueError if no header can carry this key, or if it is too weak for production."""
    if not VISIBLE.fullmatch(key):
        raise ValueError(
            "API_KEY: only printable ASCII characters without spaces are allowed; try `openssl rand -hex 32`"
        )
    if not is_production:
        return
    if key == DEVELOPMENT_API_KEY:
        raise ValueError("API_KEY: production does not accept the development key; set API_KEY or API_KEY_FILE")
    if len(key) < MIN_LENGTH:
        raise ValueError(
            f"API_KEY: production needs {MIN_LENGTH} characters or more (got {len(key)}); try `openssl rand -hex 32`"
        )


def check_reach_of_development_key(variable: str, host: str) -> None:
    """Raise ValueError unless only this machine can reach the host, because the development key is publicly known."""
    if host not in LOOPBACK_HOSTS:
        raise ValueError(
            f"{variable}: {host!r} is not a loopback address, and the development API_KEY is public; "
            "set an API_KEY of your own"
        )
