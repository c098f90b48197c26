"""An oracle of cron: every minute of some years is looked at, by another way than that of the service.

The wall clock of a zone is computed for each minute of UTC. A pattern is a set of allowed values for each field, as
crontab(5) says: if both day fields are restricted, either may match, unless one of them begins with a star. Fixed times
that a clock change removes fire at its end, or never; those that it repeats fire at the first, the second or both.
Patterns whose minute or hour begins with a star follow elapsed time.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from scheduler_service.domain.schedules.calendar_dst import DstPolicy

_MONTH, _WEEKDAY = 3, 4
# How often an item of a random field is a name, a single value, or a range with a step.
_NAMED, _SINGLE, _STEPPED = 0.3, 0.6, 0.5
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMES = {_MONTH: _MONTHS, _WEEKDAY: _DAYS}
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)

Minutes = NDArray[np.int64]


class WallClock:
    """The wall clock of a zone at each minute of UTC from the beginning of a year on."""

    def __init__(self, zone: str, first_year: int, years: int) -> None:
        self.zone = ZoneInfo(zone)
        self.start = datetime(first_year, 1, 1, tzinfo=UTC)
        self.end = datetime(first_year + years, 1, 1, tzinfo=UTC)
        self.count = (self.end - self.start) // _MINUTE
        self.offsets = self._offsets()
        epoch = int(self.start.timestamp()) // 60
        self.wall: Minutes = epoch + np.arange(self.count) + self.offsets

    def _offsets(self) -> Minutes:
        """Return the offset in minutes for each minute. Days without a change are filled at once."""
        offsets = np.empty(self.count, dtype=np.int64)
        for begin in range(0, self.count, 1440):
            end = min(begin + 1440, self.count)
            if self._offset(begin) == self._offset(end):
                offsets[begin:end] = self._offset(begin)
            else:
                offsets[begin:end] = [self._offset(minute) for minute in range(begin, end)]
        return offsets

    def _offset(self, minute: int) -> int:
        offset = (self.start + minute * _MINUTE).astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset // _MINUTE

    @cached_property
    def changes(self) -> list[int]:
        """Return the minutes before which the clock has changed."""
        return [int(index) + 1 for index in np.flatnonzero(np.diff(self.offsets))]

    def fires(self, expression: str, dst: DstPolicy) -> Minutes:
        """Return the minutes at which a pattern fires, in order."""
        fields = expression.split()
        found = _matches(fields, self.wall)
        if not (fields[0].startswith("*") or fields[1].startswith("*")):
            for change in self.changes:
                self._apply(found, fields, change, dst)
        return np.flatnonzero(found)

    def _apply(self, found: NDArray[np.bool_], fields: list[str], change: int, dst: DstPolicy) -> None:
        shift = int(self.offsets[change] - self.offsets[change - 1])
        if shift > 0 and dst.gap == "run_after":
            removed = self.wall[change] - shift + np.arange(shift)
            found[change] |= bool(_matches(fields, removed).any())
        if shift < 0 and dst.fold != "both":
            first, second = slice(max(0, change + shift), change), slice(change, change - shift)
            found[second if dst.fold == "first" else first] = False


def random_expression(seed: int) -> str:
    """Return a pattern with lists, ranges, steps and names, and mostly few restricted fields."""
    chooser = random.Random(seed)  # noqa: S311 (reproducible)
    minute = _field(chooser, 0, chance=0.85)
    hour = _field(chooser, 1, chance=0.75)
    return " ".join([minute, hour, *(_field(chooser, number, chance=0.3) for number in (2, 3, 4))])


def _field(chooser: random.Random, number: int, *, chance: float) -> str:
    low, high = _FIELDS[number]
    if chooser.random() > chance:
        return chooser.choice(["*", "*", f"*/{chooser.randint(2, (high - low) // 2)}"])
    return ",".join(_item(chooser, number, low, high) for _ in range(chooser.choice([1, 1, 1, 2, 3])))


def _item(chooser: random.Random, number: int, low: int, high: int) -> str:
    first = chooser.randint(low, high)
    if number in _NAMES and chooser.random() < _NAMED:
        return chooser.choice(_NAMES[number])
    if chooser.random() < _SINGLE or first > high - 2:
        return str(first)
    last = chooser.randint(first + 2, high)
    step = f"/{chooser.randint(2, last - first)}" if chooser.random() < _STEPPED else ""
    return f"{first}-{last}{step}"


def _matches(fields: list[str], wall: Minutes) -> NDArray[np.bool_]:
    days = wall // 1440
    # numpy's calendar is proleptic Gregorian, as Python's is. 1970-01-01 was a Thursday.
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    day_of_month = (days.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
    month, weekday = months.astype(np.int64) % 12 + 1, (days + 4) % 7
    in_day = _allowed(fields[2], 2)[day_of_month]
    in_week = _allowed(fields[4], 4)[weekday]
    has_star = fields[2].startswith("*") or fields[4].startswith("*")
    day = in_day & in_week if has_star else in_day | in_week
    time = _allowed(fields[0], 0)[wall % 60] & _allowed(fields[1], 1)[wall // 60 % 24]
    matched: NDArray[np.bool_] = time & day & _allowed(fields[3], 3)[month]
    return matched


def _allowed(field: str, number: int) -> NDArray[np.bool_]:
    """Return for each value whether a field allows it."""
    low, high = _FIELDS[number]
    allowed = np.zeros(high + 1, dtype=np.bool_)
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            begin, end = low, high
        else:
            begin = _value(first, number)
            end = _value(last, number) if last else begin
        allowed[begin : end + 1 : int(step or 1)] = True
    if number == _WEEKDAY:
        allowed[0] |= allowed[7]
    return allowed


def _value(text: str, number: int) -> int:
    names = _NAMES.get(number, ())
    return names.index(text) + _FIELDS[number][0] if text in names else int(text)
