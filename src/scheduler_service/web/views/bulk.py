"""Bulk changes: how many names are shown, and when the number is typed."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

NAMED = 5
# Above this number, and to delete, the number is typed.
_TYPED_ABOVE = 100


def is_typed(action: str, count: int) -> bool:
    """Return whether a change of so many objects is confirmed by typing their number."""
    return action == "delete" or count > _TYPED_ABOVE


def place_in(query: str) -> str:
    """Return the query of a list, such as `?tag=nightly`, in a form that is safe in an address, or an empty text."""
    return f"?{urlencode(pairs)}" if query.startswith("?") and (pairs := parse_qsl(query[1:])) else ""
