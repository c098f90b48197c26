"""A day of a schedule, drawn to scale: where its instants lie, and the hours in the zone of the job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

WIDTH = 360
"""Units of the drawing, which stands for a day."""
DAY = timedelta(days=1)
_QUARTER = timedelta(minutes=15)
_HOURS_APART = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant, or the first of several that lie close together. `is_excluded`: a calendar excludes its day."""

    x: float
    clock: str
    is_excluded: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A full hour of the zone."""

    x: float
    clock: str


@dataclass(frozen=True, slots=True)
class DayStrip:
    """The day from now on."""

    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]


def day_strip(instants: Iterable[tuple[datetime, bool]], begin: datetime, zone: ZoneInfo) -> DayStrip:
    """Return the day from `begin` on. Each instant comes with whether a calendar excludes it."""
    marks = [
        Mark(_x(at, begin), at.astimezone(zone).strftime("%H:%M"), is_excluded)
        for at, is_excluded in instants
        if begin <= at < begin + DAY
    ]
    return DayStrip(tuple(marks), tuple(_ticks(begin, zone)))


def _ticks(begin: datetime, zone: ZoneInfo) -> Iterable[Tick]:
    # Zones differ from UTC by whole quarters of an hour, and the clock may change within the day.
    at = begin.replace(minute=0, second=0, microsecond=0)
    while at < begin + DAY:
        local = at.astimezone(zone)
        if at >= begin and local.minute == 0 and local.hour % _HOURS_APART == 0:
            yield Tick(_x(at, begin), local.strftime("%H"))
        at += _QUARTER


def _x(at: datetime, begin: datetime) -> float:
    return round((at - begin) / DAY * WIDTH, 1)
