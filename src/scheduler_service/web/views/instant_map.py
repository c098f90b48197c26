"""The ledger by instants: each has a cell of its own, in the order of time.

A line covers the longest unit of time by which no line has more than MAX_IN_LINE cells, such as half an hour for an
instant each minute. A time in which nothing was owed is a hatched cell in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.web.views.cells import NOTHING, Counts
from scheduler_service.web.views.grid import SIZE, STEP, Cell, Grid, Line, line_y, newest_end

MAX_IN_LINE = 32
_UNITS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Lengths of lines in seconds. A month follows."""
_MINUTE, _DAY, _MONTH = 60, 86_400, 0
Key = tuple[datetime, timedelta | None]
"""The wall clock at the beginning of a line, and its offset to UTC: a repeated hour has lines of its own."""


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
    unit = _unit_of(chosen, zone)
    by_line: dict[Key, list[DrawnInstant]] = {}
    for each in chosen:
        by_line.setdefault(_key(each.at.astimezone(zone), unit), []).append(each)
    lines = tuple(
        Line(
            _label(key[0], unit),
            line_y(number),
            tuple(replace(_cell(each, zone), x=place * STEP, y=line_y(number)) for place, each in enumerate(found)),
        )
        for number, (key, found) in enumerate(by_line.items())
    )
    longest = max((len(line.cells) for line in lines), default=0)
    return Grid(lines, longest * STEP, line_y(len(lines)), (), newest_end(lines, now))


def _unit_of(instants: Sequence[DrawnInstant], zone: ZoneInfo) -> int:
    """Return the length of a line in seconds, or _MONTH."""
    times = [each.at.astimezone(zone) for each in instants]
    for unit in (_MONTH, *reversed(_UNITS)):
        if max(Counter(_key(local, unit) for local in times).values(), default=0) <= MAX_IN_LINE:
            return unit
    return _UNITS[0]


def _key(local: datetime, unit: int) -> Key:
    begin = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if unit == _MONTH:
        return begin.replace(day=1), None
    if unit == _DAY:
        return begin, None
    passed = local.hour * 3600 + local.minute * 60 + local.second
    return begin + timedelta(seconds=passed - passed % unit), local.utcoffset()


def _label(begin: datetime, unit: int) -> str:
    if unit == _MONTH:
        return begin.strftime("%b %Y")
    if unit == _DAY:
        return begin.strftime("%a %d %b")
    return begin.strftime("%a %H:%M" if unit >= _MINUTE else "%H:%M:%S")


def _cell(each: DrawnInstant, zone: ZoneInfo) -> Cell:
    clock = each.at.astimezone(zone).strftime("%a %d %b, %H:%M:%S %Z")
    if each.gap_until is not None:
        return Cell(each.at, clock, 0, 0, SIZE, NOTHING, is_owed=False, until=each.gap_until)
    counts = Counts({}, planned=1) if each.status is None else Counts({each.status: each.count})
    return Cell(
        each.at, clock, 0, 0, SIZE, counts, is_owed=True, until=each.at, job_name=each.job_name, reason=each.reason
    )  # fmt: skip
