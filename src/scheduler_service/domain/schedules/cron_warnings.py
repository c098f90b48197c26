"""Warns about cron patterns that are often misread."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scheduler_service.domain.schedules.cron_fields import CronFields


def pattern_warnings(expr: str, fields: CronFields) -> Iterator[str]:
    """Yield warnings about uneven steps, days that some months lack, and two restricted day fields.

    `expr` is upper case with single spaces.
    """
    second, minute, hour, day, month, weekday = ("0 " * (5 - expr.count(" ")) + expr).split()
    is_daily = day == month == weekday == "*"
    if _has_neighbours(fields.minutes):
        advice = "s" if minute == hour == "*" and is_daily else None
        yield from _uneven_step(_Cycle(second, "second", "minute", 60, fields.seconds), advice)
    if _has_neighbours(fields.hours):
        yield from _uneven_step(
            _Cycle(minute, "minute", "hour", 60, fields.minutes), "m" if hour == "*" and is_daily else None
        )
    if "/" in hour and any(_has_neighbours(fields.days_in(_LEAP_YEAR, number)) for number in fields.months):
        yield from _uneven_step(_Cycle(hour, "hour", "day", 24, fields.hours), "h" if is_daily else None)
    if weekday == "*":
        yield from _uneven_days(day, fields, "d" if month == "*" else None)
    yield from _uneven_step(_Cycle(month, "month", "year", 12, sorted(fields.months)), None)
    yield from _absent_days(day, fields)
    if not (day.startswith("*") or weekday.startswith("*")):
        yield "With day-of-month and day-of-week, it fires on days that match either, not only on days that match both."


@dataclass(frozen=True, slots=True)
class _Cycle:
    """A cron field, its unit, the larger unit in which it restarts, and its number of values, which are sorted."""

    part: str
    unit: str
    larger: str
    length: int
    values: Sequence[int]


def _uneven_step(field: _Cycle, advice: str | None) -> Iterator[str]:
    match = _STEP.fullmatch(field.part)
    if match is None:
        return
    step, first, last = int(match[2]), field.values[0], field.values[-1]
    gap = first + field.length - last
    if gap != step:
        text = f"{field.part} restarts each {field.larger}: from {field.unit} {last} to {field.unit} {first} it is"
        yield f"{text} {_count(gap, field.unit)}, not {step}{_instead(step, advice)}."


def _uneven_days(part: str, fields: CronFields, advice: str | None) -> Iterator[str]:
    match = _STEP.fullmatch(part)
    if match is None:
        return
    first, step = int(match[1] or 1), int(match[2])
    for length in sorted({_LENGTHS[month] for month in fields.months if month % 12 + 1 in fields.months}, reverse=True):
        last = max(range(first, length + 1, step), default=first)
        if (gap := first + length - last) != step:
            text = f"{part} restarts each month: in one of {length} days, from day {last} to day {first} it is"
            yield f"{text} {_count(gap, 'day')}, not {step}{_instead(step, advice)}."
            return


def _absent_days(part: str, fields: CronFields) -> Iterator[str]:
    """Yield a warning about the latest listed day if only some of the months have it."""
    latest = max((int(term) for term in part.split(",") if term.isdigit()), default=0)
    without = [month for month in sorted(fields.months) if _LENGTHS[month] < latest]
    if without and len(without) < len(fields.months):
        names = ", ".join(_NAMES[month] for month in without)
        but = " but in leap years" if latest == _LEAP_DAY else ""
        yield f"Months without a day {latest} leave it out ({names}{but}); L is the last day of every month."


def _has_neighbours(values: Sequence[int]) -> bool:
    return any(later - earlier == 1 for earlier, later in pairwise(values))


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' * (number > 1)}"


def _instead(step: int, advice: str | None) -> str:
    return f"; for even spans write the interval {step}{advice}" if advice else ""


_STEP = re.compile(r"(?:\*|(\d+))/(\d+)", re.ASCII)
_LEAP_YEAR, _LEAP_DAY = 2028, 29
# Indexed by month number, for a year that is not a leap year.
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NAMES = (
    "", "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
