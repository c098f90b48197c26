"""Reads query parameters of addresses, which people edit and old links contain: what is not understood is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from starlette.datastructures import QueryParams

from scheduler_service.domain.schedules.calendar_dst import FIRST_YEAR, LAST_YEAR

LARGEST_ID = 2**63 - 1
DUE = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
"""Windows from now on in which jobs are due, by their names in addresses."""
Choice = TypeVar("Choice", bound=StrEnum)


def choice(query: QueryParams, name: str, kind: type[Choice]) -> Choice | None:
    """Return a value of an enumeration, or None."""
    found = choices(query, name, kind)
    return found[0] if found else None


def choices(query: QueryParams, name: str, kind: type[Choice]) -> tuple[Choice, ...]:
    """Return all values of an enumeration under one name."""
    known = {str(member): member for member in kind}
    return tuple(dict.fromkeys(known[value] for value in query.getlist(name) if value in known))


def whole(query: QueryParams, name: str) -> int | None:
    """Return a positive whole number, or None."""
    return whole_of(query.get(name, ""))


def whole_of(text: str) -> int | None:
    """Return the positive whole number that a text is, or None."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_ID)) else 0
    return number if 0 < number <= LARGEST_ID else None


def instant(query: QueryParams, name: str) -> datetime | None:
    """Return an instant; one without an offset is in UTC. None also if its year is out of the range of schedules."""
    return instant_of(query.get(name, ""))


def due_range(written: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return since when and until before when jobs are due, by a window such as `1h` or two instants such as `A/B`."""
    if (window := DUE.get(written)) is not None:
        return None, now + window
    first, _, last = written.partition("/")
    since, before = instant_of(first), instant_of(last)
    return (None, None) if since is None or before is None else (since, before)


def instant_of(written: str) -> datetime | None:
    """Return the instant that a text is, as `instant` does."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
