"""Addresses in settings: of HTTP servers, and of stores."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/\s]*@")


def url_of(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a service that listens on this host and port."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared with, not bound to)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def is_web_address(url: str) -> bool:
    """Return whether this is an HTTP URL with a host. Raises ValueError if its port is not a number up to 65535."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0


def is_store_address(url: str) -> bool:
    """Return whether this is the URL of an object store with a bucket, or of an absolute directory."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return not parts.netloc and len(parts.path) > 1
    return parts.scheme in {"s3", "gs", "az"} and bool(parts.hostname) and not (parts.query or parts.fragment)


def without_passwords(text: str) -> str:
    """Return a text without the passwords of the URLs in it, to show it."""
    return _PASSWORD.sub(r"\1:…@", text)
