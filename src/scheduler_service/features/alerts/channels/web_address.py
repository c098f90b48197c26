"""Addresses of receivers on the web, as channels have them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

from scheduler_service.config.api_key import VISIBLE
from scheduler_service.outbound.address_guard import Reach, refusal_of

MASK = "***"
"""Stands for a secret wherever a channel is shown."""


def obstacle_of(url: str, reach: Reach) -> str | None:
    """Return why an address may not be reached; None if it may, or if its name must be resolved to know."""
    refusal = refusal_of(urlsplit(url).hostname or "", reach)
    return None if refusal is None else f"channel.url: {refusal}: deliveries fail."


def _check_web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an address such as https://example.org/alerts")
    if parts.username or parts.password or not VISIBLE.fullmatch(url):
        raise ValueError("must not contain a user, a password, blanks or characters beyond ASCII")
    try:
        port = parts.port
        parts.hostname.encode("idna")
    except ValueError:  # the codec's errors are of this kind, too
        port = 0
    if port == 0:
        raise ValueError("its host or port is not valid; write an address such as https://example.org/alerts")
    return url


WebAddress = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_check_web_address)]
