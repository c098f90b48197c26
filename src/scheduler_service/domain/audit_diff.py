"""The difference between two states of an object, without secrets and without large values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

MASK = "***"
MAX_CHARACTERS = 2000
"""A longer value is replaced by its length."""
_ESCAPED_CHARACTERS = 6
"""A control character is written as \\u0000."""
_MANY = 10**18
_SECRET = re.compile(r"key|secret|token|passw|credential|authorization|cookie|signature", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
# Values of variables can be secrets whatever their names are.
_ALL_MASKED = frozenset({"env"})
# Maps variables to names of secrets, which are no secrets themselves.
_NONE_MASKED = frozenset({"secrets", "key_id", "external_key", "concurrency_key"})


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, max_characters: int | None = MAX_CHARACTERS
) -> dict[str, dict[str, Any]]:
    """Return the fields that differ, each with `before` and `after`, of which one is left out if there is no object.

    `max_characters` None: long values are shown too.
    """
    sides = {"before": before, "after": after}
    names = dict.fromkeys(name for fields in sides.values() for name in fields or ())
    return {
        name: {
            side: _shown(name, fields.get(name), max_characters) for side, fields in sides.items() if fields is not None
        }
        for name in names
        if before is None or after is None or before.get(name) != after.get(name)
    }


def masked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an object without its secrets."""
    return {name: _shown(name, value, None) for name, value in fields.items()}


def _shown(name: str, value: Any, max_characters: int | None) -> Any:
    if not value or isinstance(value, float):  # most fields of most jobs
        return value
    shown = value if name in _NONE_MASKED else _masked(value, is_secret=name in _ALL_MASKED)
    if isinstance(shown, datetime):
        return shown.isoformat()
    if max_characters is None:
        return shown
    if _is_short(shown, max_characters):
        return shown
    length = len(json.dumps(shown, ensure_ascii=False, default=str))
    return shown if length <= max_characters else f"({length} characters)"


def _is_short(value: Any, max_characters: int) -> bool:
    """Return whether the JSON of a value is so short that nobody has to write it to know."""
    if isinstance(value, str):
        return _ESCAPED_CHARACTERS * len(value) + 2 <= max_characters
    return isinstance(value, float) or value in (None, True, False, [], {}) or _is_small(value)


def _is_small(value: Any) -> bool:
    return isinstance(value, int) and abs(value) < _MANY


def _masked(value: Any, *, is_secret: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _masked(member, is_secret=is_secret or bool(_SECRET.search(name))) for name, member in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item, is_secret=is_secret) for item in value]
    if isinstance(value, str):
        if is_secret and value:
            return MASK
        return _CREDENTIALS.sub(MASK, value) if "://" in value else value
    return value
