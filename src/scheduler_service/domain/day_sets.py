"""Sets of days from dates, recurrence rules and public holidays.

The library of holidays is imported when it is needed, because most jobs have no calendar. Holidays are computed by the
year and cached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from scheduler_service.domain.calendars import DaySet
from scheduler_service.domain.recurrence_rules import LAST_YEAR, Rule

FIRST_DAY = date(2000, 1, 1)
"""Where a rule without a start begins."""

_HOLIDAY_YEARS = range(1900, LAST_YEAR + 1)
"""Nobody knows the holidays of later years, and each year takes time."""
_SATURDAY = 5
_HOLIDAYS = re.compile(r"([A-Za-z]{2})(?:-([A-Za-z0-9]+))?-holidays")


@dataclass(frozen=True, slots=True)
class Holidays:
    """The public holidays of a country or of one of its subdivisions, by their ISO 3166 codes."""

    country: str
    subdivision: str | None


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a calendar: those that one of its parts names."""

    dates: frozenset[date] = frozenset()
    rules: tuple[Rule, ...] = ()
    holidays: tuple[Holidays, ...] = ()

    def __contains__(self, day: date, /) -> bool:
        return (
            day in self.dates
            or any(day in rule for rule in self.rules)
            or any(day in _holidays_in(place, day.year) for place in self.holidays)
        )


@dataclass(frozen=True, slots=True)
class Weekdays:
    """The days of the week from Monday to Friday, or Saturday and Sunday."""

    are_weekend: bool

    def __contains__(self, day: date, /) -> bool:
        return (day.weekday() >= _SATURDAY) is self.are_weekend


def built_in(name: str) -> DaySet | None:
    """Return the calendar with a built-in name: `business-days`, `weekends`, `de-holidays`, `de-BY-holidays`."""
    if name in {"business-days", "weekends"}:
        return Weekdays(name == "weekends")
    if not (match := _HOLIDAYS.fullmatch(name)):
        return None
    place = Holidays(match[1].upper(), match[2])
    return None if problem_of(place) else Days(holidays=(place,))


def problem_of(place: Holidays) -> str | None:
    """Return why the holidays of a place are unknown, or None."""
    from holidays import list_supported_countries  # noqa: PLC0415 (slow, and rarely needed)

    subdivisions = list_supported_countries().get(place.country)
    if subdivisions is None:
        return f"there are no holidays for the country {place.country!r}; write its ISO 3166 code, such as DE"
    if place.subdivision is not None and place.subdivision not in subdivisions:
        known = f"write one of {', '.join(subdivisions)}" if subdivisions else "it has none"
        return f"{place.country} has no subdivision {place.subdivision!r}; {known}"
    return None


def days_of(definition: Mapping[str, Any]) -> Days:
    """Return the days of a stored definition."""
    return Days(
        frozenset(date.fromisoformat(day) for day in definition["dates"]),
        tuple(Rule(date.fromisoformat(rule["start"]), rule["rrule"]) for rule in definition["rules"]),
        tuple(Holidays(place["country"], place["subdivision"]) for place in definition["holidays"]),
    )


@lru_cache(maxsize=1024)
def _holidays_in(place: Holidays, year: int) -> frozenset[date]:
    if year not in _HOLIDAY_YEARS:
        return frozenset()
    from holidays import country_holidays  # noqa: PLC0415 (slow, and rarely needed)

    return frozenset(country_holidays(place.country, subdiv=place.subdivision, years=year))
