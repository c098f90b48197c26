"""Finds and counts the wall-clock times that match a cron pattern. Time zones are not considered here.

cronsim parses each field once, and `month_days` decides which days match. The times within a day are the product of
three sorted fields, so the n-th time of a day is computed arithmetically. Nothing iterates over single times.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from cronsim.cronsim import Field

from scheduler_service.domain.schedules.cron_days import DayFields, month_days, read_days

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class CronFields:
    """The matching wall-clock times (naive, whole seconds). Every window is half open: `lo` ≤ wall < `hi`."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    days: DayFields

    @classmethod
    def read(cls, expr: str) -> CronFields:
        """Return the fields of a pattern. Raise `CronSimError` if it is invalid."""
        parts = expr.upper().split()
        second, minute, hour, day, month, weekday = parts if len(parts) == len(Field) else ["0", *parts]
        return cls(
            seconds=_numbers(Field.SECOND, second),
            minutes=_numbers(Field.MINUTE, minute),
            hours=_numbers(Field.HOUR, hour),
            months=frozenset(_numbers(Field.MONTH, month)),
            days=read_days(day, weekday),
        )

    def first_in(self, lo: datetime, hi: datetime) -> datetime | None:
        """Return the earliest time in the window, or None."""
        rank = self._rank(lo)
        if rank < self._per_day() and self._matches(lo):
            wall = self._nth(lo, rank)
        elif day := self._day_from(lo.date() + _DAY, hi.date()):
            wall = self._nth(day, 0)
        else:
            return None
        return wall if wall < hi else None

    def last_in(self, lo: datetime, hi: datetime) -> datetime | None:
        """Return the latest time in the window, or None."""
        rank = self._rank(hi)
        if rank and self._matches(hi):
            wall = self._nth(hi, rank - 1)
        elif day := self._day_until(lo.date(), hi.date() - _DAY):
            wall = self._nth(day, self._per_day() - 1)
        else:
            return None
        return wall if wall >= lo else None

    def count_in(self, lo: datetime, hi: datetime) -> int:
        """Return the number of times in the window, counted month by month."""
        if lo >= hi:
            return 0
        days = self._count_days(lo.date(), hi.date())
        before = self._rank(lo) if self._matches(lo) else 0
        until = self._rank(hi) if self._matches(hi) else 0
        return days * self._per_day() - before + until

    def days_in(self, year: int, month: int) -> tuple[int, ...]:
        """Return the matching days of a month in order."""
        return _days_of(self, year, month)

    def _matches(self, day: date) -> bool:
        return day.day in _days_of(self, day.year, day.month)

    def _per_day(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def _rank(self, wall: datetime) -> int:
        """Return how many times of a matching day come before the time of day of `wall`."""
        hours = bisect_left(self.hours, wall.hour)
        rank = hours * len(self.minutes) * len(self.seconds)
        if hours == len(self.hours) or self.hours[hours] != wall.hour:
            return rank
        minutes = bisect_left(self.minutes, wall.minute)
        rank += minutes * len(self.seconds)
        if minutes == len(self.minutes) or self.minutes[minutes] != wall.minute:
            return rank
        return rank + bisect_left(self.seconds, wall.second)

    def _nth(self, day: datetime, rank: int) -> datetime:
        """Return the time of that day with `rank` times before it: the inverse of `_rank`."""
        rank, second = divmod(rank, len(self.seconds))
        hour, minute = divmod(rank, len(self.minutes))
        return day.replace(hour=self.hours[hour], minute=self.minutes[minute], second=self.seconds[second])

    def _day_from(self, first: date, last: date) -> datetime | None:
        """Return the first matching day from `first` to the end of the month of `last`, or None."""
        lowest = first.day
        for year, month in _months(first, last):
            days = _days_of(self, year, month)
            if (index := bisect_left(days, lowest)) < len(days):
                return datetime(year, month, days[index])  # noqa: DTZ001 (wall clock)
            lowest = 1
        return None

    def _day_until(self, first: date, last: date) -> datetime | None:
        """Return the last matching day from the start of the month of `first` to `last`, or None."""
        highest = last.day
        for year, month in reversed(list(_months(first, last))):
            days = _days_of(self, year, month)
            if index := bisect_right(days, highest):
                return datetime(year, month, days[index - 1])  # noqa: DTZ001 (wall clock)
            highest = 31
        return None

    def _count_days(self, first: date, end: date) -> int:
        """Return the number of matching days from `first` to before `end`."""
        days = sum(len(_days_of(self, year, month)) for year, month in _months(first, end))
        before = bisect_left(_days_of(self, first.year, first.month), first.day)
        after = len(tail := _days_of(self, end.year, end.month)) - bisect_left(tail, end.day)
        return days - before - after


@lru_cache(maxsize=32_768)
def _days_of(fields: CronFields, year: int, month: int) -> tuple[int, ...]:
    return month_days(fields.days, *monthrange(year, month)) if month in fields.months else ()


@lru_cache(maxsize=8192)
def _numbers(field: Field, part: str) -> tuple[int, ...]:
    return tuple(sorted(item for item in field.parse(part) if isinstance(item, int)))


def _months(first: date, last: date) -> Iterator[tuple[int, int]]:
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        year, month = divmod(number, 12)
        yield year, month + 1
