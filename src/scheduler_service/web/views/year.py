"""A year as twelve months of weeks, in which some days are marked."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Month:
    """A month. A week has seven places from Monday on; None: the day is of another month."""

    first: date
    weeks: tuple[tuple[tuple[date, bool] | None, ...], ...]


def year_of(year: int, days: Collection[date]) -> tuple[Month, ...]:
    """Return the months of a year, with a mark at each of the days."""
    marked = frozenset(days)
    weeks_of = calendar.Calendar(calendar.MONDAY).monthdatescalendar
    return tuple(
        Month(
            date(year, month, 1),
            tuple(
                tuple((day, day in marked) if day.month == month else None for day in week)
                for week in weeks_of(year, month)
            ),
        )
        for month in range(1, MONTHS + 1)
    )
