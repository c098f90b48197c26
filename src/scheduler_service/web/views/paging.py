"""Pages of a list: where this one starts, and how to reach its neighbours.

A page after the first starts behind a cursor. The address carries the cursors of the pages before it, so that there is
a way back; at most MAX_BACK of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAGE_SIZE = 50
MAX_BACK = 20
_SEPARATOR = "~"
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page starts: behind `cursor`, at the row `first` of the list, which counts from 1."""

    cursor: str | None = None
    first: int = 1
    back: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pager:
    """The rows that a page shows, and the query parameters of its neighbours. None: there is no such page."""

    first: int
    last: int
    total: int | None
    is_capped: bool
    previous: Mapping[str, object] | None
    next: Mapping[str, object] | None


def read_place(query: Mapping[str, str]) -> Place:
    """Return the place in an address. A malformed one counts as the first page."""
    cursor, first = query.get("cursor"), query.get("from", "")
    if not cursor or not first.isdecimal() or len(first) > _MAX_DIGITS:
        return Place()
    back = tuple(part for part in query.get("back", "").split(_SEPARATOR) if part)
    return Place(cursor, max(1, int(first)), back[-MAX_BACK:])


def pager(place: Place, shown: int, total: int | None, next_cursor: str | None, cap: int) -> Pager:
    """Return the pager of a page with `shown` rows. `total` at `cap` stands for all larger ones."""
    last = place.first + shown - 1
    previous: Mapping[str, object] | None = None
    if place.cursor is not None:
        before = place.back[-1] if place.back else None
        first = max(1, place.first - PAGE_SIZE) if before else None
        previous = {"cursor": before, "from": first, "back": _SEPARATOR.join(place.back[:-1])}
    following: Mapping[str, object] | None = None
    if next_cursor is not None:
        back = place.back if place.cursor is None else (*place.back, place.cursor)
        following = {"cursor": next_cursor, "from": last + 1, "back": _SEPARATOR.join(back[-MAX_BACK:])}
    return Pager(place.first, last, total, total is not None and total >= cap, previous, following)
