"""The ledger by instants: each has a cell of its own, in the order of time.

A line covers the longest unit of time by which no line has more than MAX_IN_LINE cells, such as half an hour for an
instant each minute. A time in which nothing was owed is a hatched cell in its place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.web.views.cells import NOTHING, Counts
from scheduler_service.web.views.grid import SIZE, STEP, Cell, Grid, Line, line_y, newest_end

MAX_IN_LINE = 32
_MINUTE, _DAY, _MONTH = 60, 86_400, 31 * 86_400
_UNITS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, _DAY, _MONTH)
"""Lengths of lines in seconds."""
Place = tuple[date, int, timedelta | None]
"""A day, the second of its wall clock, and the offset to UTC: a repeated hour has lines of its own."""


@dataclass(frozen=True, slots=True)
class DrawnInstant:
    """An instant with its outcome. Without `status` it is planned; with `gap_until`, nothing was owed until then."""

    at: datetime
    status: RunStatus | None = None
    count: int = 1
    reason: Reason | None = None
    job_name: str | None = None
    gap_until: datetime | None = None


def instant_map(instants: Iterable[DrawnInstant], zone: ZoneInfo, now: datetime, limit: int) -> Grid:
    """Return the map of the newest `limit` of some instants."""
    chosen = sorted(instants, key=lambda each: each.at)[-limit:]
    places = [_place(each.at, zone) for each in chosen]
    unit = _unit_of(places)
    by_line: dict[Place, list[DrawnInstant]] = {}
    for each, place in zip(chosen, places, strict=True):
        by_line.setdefault(_key(place, unit), []).append(each)
    lines = tuple(
        Line(
            _label(key, unit),
            line_y(number),
            tuple(_cell(each, zone, rank * STEP, line_y(number)) for rank, each in enumerate(found)),
        )
        for number, (key, found) in enumerate(by_line.items())
    )
    longest = max((len(line.cells) for line in lines), default=0)
    return Grid(lines, longest * STEP, line_y(len(lines)), (), newest_end(lines, now))


def _unit_of(places: Sequence[Place]) -> int:
    """Return the length of a line in seconds, or _MONTH. The number in a line grows with its length."""

    def longest(unit: int) -> int:
        return max(Counter(_key(place, unit) for place in places).values(), default=0)

    return _UNITS[max(1, bisect_right(_UNITS, MAX_IN_LINE, key=longest)) - 1]


def _place(at: datetime, zone: ZoneInfo) -> Place:
    local = at.astimezone(zone)
    return local.date(), local.hour * 3600 + local.minute * 60 + local.second, local.utcoffset()


def _key(place: Place, unit: int) -> Place:
    day, seconds, offset = place
    if unit == _MONTH:
        return day.replace(day=1), 0, None
    return (day, 0, None) if unit == _DAY else (day, seconds // unit * unit, offset)


def _label(key: Place, unit: int) -> str:
    begin = datetime.combine(key[0], time()) + timedelta(seconds=key[1])
    if unit == _MONTH:
        return begin.strftime("%b %Y")
    if unit == _DAY:
        return begin.strftime("%a %d %b")
    return begin.strftime("%a %H:%M" if unit >= _MINUTE else "%H:%M:%S")


def _cell(each: DrawnInstant, zone: ZoneInfo, x: int, y: int) -> Cell:
    clock = each.at.astimezone(zone).strftime("%a %d %b, %H:%M:%S %Z")
    if each.gap_until is not None:
        return Cell(each.at, clock, x, y, SIZE, NOTHING, is_owed=False, until=each.gap_until)
    counts = Counts({}, planned=1) if each.status is None else Counts({each.status: each.count})
    return Cell(
        each.at, clock, x, y, SIZE, counts, is_owed=True, until=each.at, job_name=each.job_name, reason=each.reason
    )  # fmt: skip
