"""Finds the days of a month that match the day fields of a cron pattern.

A month is described by its first weekday and its length, of which there are 28 combinations. The days of a pattern are
therefore computed for a few months and found again for all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cronsim.cronsim import CronSim, Field, SpecItem

_WEEK = 7
_FRIDAY = 4
"""Weekdays of `calendar` begin with Monday, 0; those of cron with Sunday, which is 0 and 7."""


@dataclass(frozen=True, slots=True)
class DayFields:
    """The day-of-month and day-of-week fields. Both must match if one begins with `*`, otherwise either (cron(8))."""

    days: frozenset[SpecItem]
    weekdays: frozenset[SpecItem]
    must_match_both: bool


def read_days(day: str, weekday: str) -> DayFields:
    """Return the day fields of a pattern. Raise `CronSimError` if one is invalid."""
    return DayFields(_items(Field.DAY, day), _items(Field.DOW, weekday), must_match_both="*" in (day[:1], weekday[:1]))


@lru_cache(maxsize=32_768)
def month_days(fields: DayFields, first_weekday: int, length: int) -> tuple[int, ...]:
    """Return the matching days of a month in order. `first_weekday` is that of day 1, 0 is Monday."""
    of_month = {day for item in fields.days for day in _by_number(item, first_weekday, length)}
    of_week = {day for item in fields.weekdays for day in _by_weekday(item, first_weekday, length)}
    return tuple(sorted(of_month & of_week if fields.must_match_both else of_month | of_week))


@lru_cache(maxsize=4096)
def _items(field: Field, part: str) -> frozenset[SpecItem]:
    return frozenset(field.parse(part))


def _by_number(item: SpecItem, first_weekday: int, length: int) -> Iterator[int]:
    if item == CronSim.LAST:
        yield length
    elif item == CronSim.LAST_WEEKDAY:
        yield length - max(0, (first_weekday + length - 1) % _WEEK - _FRIDAY)
    elif isinstance(item, int) and item <= length:
        yield item


def _by_weekday(item: SpecItem, first_weekday: int, length: int) -> Iterator[int]:
    weekday, which = item if isinstance(item, tuple) else (item, 0)
    days = range((weekday - 1 - first_weekday) % _WEEK + 1, length + 1, _WEEK)
    if which == CronSim.LAST:
        yield days[-1]
    elif which:
        yield from days[which - 1 : which]
    else:
        yield from days
