"""Cursors of lists as clients see them: opaque text that a client sends back as it got it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import TypeGuard

from scheduler_service.domain.listing import Cursor
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.payloads.stored_text import fault_of_text

MAX_CURSOR_CHARACTERS = 2048
_LARGEST_ID = 2**63 - 1
_LARGEST_NUMBER = 2**31 - 1


def write_cursor(cursor: Cursor, sort: str) -> str:
    """Return a cursor of a list in this order as text."""
    value = {"at": cursor.value.isoformat()} if isinstance(cursor.value, datetime) else cursor.value
    document = json.dumps([sort, cursor.id, value], separators=(",", ":"))
    return urlsafe_b64encode(document.encode()).decode().rstrip("=")


def read_cursor(text: str, sort: str) -> Cursor:
    """Return the cursor in a text. Raise `InvalidInputError` if it is none of a list in this order."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        of_sort, row_id, written = json.loads(urlsafe_b64decode(padded))
        value = _read_value(written)
        if of_sort == sort and type(row_id) is int and 0 < row_id <= _LARGEST_ID and _fits(value, sort):
            return Cursor(row_id, value)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        pass
    raise InvalidInputError(
        FieldProblem("cursor", "not a cursor of this list; follow the next link, or leave it out to begin again", text)
    )


def _read_value(written: object) -> object:
    if not isinstance(written, dict):
        return written
    instant = datetime.fromisoformat(written["at"])
    if instant.tzinfo is None:
        raise ValueError(written)
    return instant.astimezone(UTC)


def _fits(value: object, sort: str) -> TypeGuard[str | int | datetime | None]:
    """Return whether a value can be in the column, so that no database refuses it."""
    match value, sort.removeprefix("-"):
        case None, "id" | "next_run_at":
            return True
        case int(), "priority":
            return not isinstance(value, bool) and abs(value) <= _LARGEST_NUMBER
        case str(), "name":
            return fault_of_text(value) is None
        case datetime(), "created_at" | "updated_at" | "next_run_at" | "scheduled_for":
            return True
    return False
