"""Instants as the service writes them wherever programs read them."""

from __future__ import annotations

from datetime import datetime


def iso8601(instant: datetime) -> str:
    """Return an instant as ISO 8601, with `Z` if its offset is zero, such as `2026-12-31T23:59:59Z`."""
    return instant.isoformat().replace("+00:00", "Z")
