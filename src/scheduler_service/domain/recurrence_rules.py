"""The days of a recurrence rule (RFC 5545, section 3.3.10), in a time that no rule can make long.

Theory of operation. `dateutil` walks from the start of a rule to the day that is asked for, and a rule that never
matches up to the year 9999. So it is asked for one year only, as if the rule repeated every year: that gives the days
which all parts with BY allow. There are only a few kinds of years, by the weekday of their first day and by leap years,
so the answers are kept by kind. INTERVAL, BYSETPOS, COUNT and UNTIL are then applied here.

Parts for times of day are ignored, as RFC 5545 says of rules whose start is a day.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby, islice

MAX_COUNT = 1000
LAST_YEAR = 2200
"""A COUNT ends no rule after this year: the days of each year before it would have to be counted."""

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_FILTERS = ("BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY")
_OF_TIMES = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_OTHERS = frozenset({"FREQ", "INTERVAL", "BYSETPOS", "COUNT", "UNTIL", "WKST"})
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ALL_MONTHS = ",".join(map(str, range(1, 13)))
_PERIODS: dict[str, Callable[[datetime], int]] = {
    "YEARLY": lambda day: day.year,
    "MONTHLY": lambda day: day.month,
    "DAILY": datetime.toordinal,
}
_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule of RFC 5545, such as `FREQ=MONTHLY;BYDAY=-1FR`, from a day on."""

    start: date
    rrule: str

    def __contains__(self, day: date, /) -> bool:
        return self.start <= day <= _last_day(self) and _read(self).allows(day)


def problem_of_rule(rule: Rule) -> str | None:
    """Return why a rule cannot be used, or None."""
    try:
        parts = _parts_of(rule.rrule)
        if parts.get("FREQ") not in _FREQUENCIES:
            return "needs a FREQ of DAILY, WEEKLY, MONTHLY or YEARLY"
        read = _read(rule)
        if read.interval < 1:
            return "has an INTERVAL of 0, which never goes on"
        if read.count is not None and not 1 <= read.count <= MAX_COUNT:
            return f"has a COUNT outside of 1 to {MAX_COUNT}; write an UNTIL instead"
        if read.count is not None and read.week_positions:  # a search of every week of three centuries
            return "has a COUNT beside BYSETPOS in weeks; write an UNTIL instead"
        read.allows(rule.start)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        return f"is no rule of RFC 5545: {error}"
    return None


@dataclass(frozen=True, slots=True)
class _Filters:
    """What decides which days of a kind of year a rule allows, INTERVAL aside.

    `text` are the parts for `dateutil`, and `positions` those of BYSETPOS in each `period`: YEARLY and so on.
    """

    text: str
    period: str
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A rule, read. `week_start` is a weekday: 0 is Monday."""

    start: date
    filters: _Filters
    interval: int
    week_positions: frozenset[int]
    count: int | None
    until: date
    week_start: int

    def allows(self, day: date) -> bool:
        """Return whether the rule allows a day, whatever its start, COUNT and UNTIL are."""
        if not self._matches(day) or self._period(day) % self.interval:
            return False
        if not self.week_positions:
            return True
        week = self._week_of(day)
        days = [each for each in (week + number * _DAY for number in range(7)) if self._matches(each)]
        at = days.index(day)
        return not self.week_positions.isdisjoint((at + 1, at - len(days)))

    def days_from_start(self) -> Iterator[date]:
        """Yield the days of the rule, up to the last year that is looked at."""
        for year in range(self.start.year, LAST_YEAR + 1):
            first, matching = date(year, 1, 1), _days_like(self.filters, _kind_of(year))
            for number in (number for span in self._spans(year) for number in span if number in matching):
                day = first + number * _DAY
                if day >= self.start:
                    yield day

    def _matches(self, day: date) -> bool:
        return (day - date(day.year, 1, 1)).days in _days_like(self.filters, _kind_of(day.year))

    def _period(self, day: date) -> int:
        """Return how many years, months, weeks or days a day is after the start."""
        match self.filters.period:
            case "YEARLY":
                return day.year - self.start.year
            case "MONTHLY":
                return (day.year - self.start.year) * 12 + day.month - self.start.month
            case "WEEKLY":
                return (self._week_of(day) - self._week_of(self.start)).days // 7
        return (day - self.start).days

    def _spans(self, year: int) -> list[range]:
        """Return the days of a year in the periods that INTERVAL leaves: 0 is the first of January."""
        first = date(year, 1, 1)
        match self.filters.period:
            case "YEARLY":
                return [] if self._period(first) % self.interval else [range(_DAYS)]
            case "MONTHLY":
                months = [date(year, month, 1) for month in range(1, 13)]
                chosen = [month for month in months if self._period(month) % self.interval == 0]
                begins = [(month - first).days for month in chosen]
                return [
                    range(begin, begin + monthrange(year, month.month)[1])
                    for begin, month in zip(begins, chosen, strict=True)
                ]
            case "WEEKLY":
                begin = (self._week_of(first) - first).days - self._period(first) % self.interval * 7
                return [range(max(week, 0), week + 7) for week in range(begin, _DAYS, 7 * self.interval)]
        return [range(-self._period(first) % self.interval, _DAYS, self.interval)]

    def _week_of(self, day: date) -> date:
        return day - (day.weekday() - self.week_start) % 7 * _DAY


@lru_cache(maxsize=4096)
def _read(rule: Rule) -> _Read:
    parts = _parts_of(rule.rrule)
    positions = tuple(int(position) for position in parts.get("BYSETPOS", "").split(",") if position)
    until, is_weekly = parts.get("UNTIL"), parts["FREQ"] == "WEEKLY"
    return _Read(
        rule.start,
        _Filters(_filters_of(parts, rule.start), parts["FREQ"], () if is_weekly else positions),
        int(parts.get("INTERVAL", "1")),
        frozenset(positions if is_weekly else ()),
        int(parts["COUNT"]) if "COUNT" in parts else None,
        date.max if until is None else datetime.strptime(until[:8], "%Y%m%d").date(),  # noqa: DTZ007 (a day)
        _WEEKDAYS.index(parts.get("WKST", "MO")),
    )


def _parts_of(text: str) -> dict[str, str]:
    """Return the parts of a rule by name, without those for times of day. Raise `ValueError` if one is wrong."""
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name in parts:
            raise ValueError(f"{name} appears twice")
        if name not in {*_FILTERS, *_OTHERS, *_OF_TIMES}:
            raise ValueError(f"unknown part {name!r}")
        parts[name] = value
    return {name: value for name, value in parts.items() if name not in _OF_TIMES}


def _filters_of(parts: dict[str, str], start: date) -> str:
    """Return the parts that say which days a rule allows, with those that it takes from its start."""
    filters = {name: parts[name] for name in _FILTERS if name in parts}
    frequency = parts["FREQ"]
    if frequency in {"DAILY", "WEEKLY"} and "BYDAY" in filters:  # without numbers, which RFC 5545 has for longer ones
        filters["BYDAY"] = ",".join(re.sub(r"^[+-]?\d+", "", day) for day in filters["BYDAY"].split(","))
    if filters.keys() <= {"BYMONTH"}:
        match frequency:
            case "YEARLY":
                filters = {"BYMONTH": str(start.month), "BYMONTHDAY": str(start.day), **filters}
            case "MONTHLY":
                filters["BYMONTHDAY"] = str(start.day)
            case "WEEKLY":
                filters["BYDAY"] = _WEEKDAYS[start.weekday()]
            case _:
                filters["BYDAY"] = ",".join(_WEEKDAYS)
    if frequency == "MONTHLY":  # so that the second Monday is that of each month, and not of the year
        filters.setdefault("BYMONTH", _ALL_MONTHS)
    return ";".join(f"{name}={value}" for name, value in {**filters, "WKST": parts.get("WKST", "MO")}.items())


@lru_cache(maxsize=4096)
def _days_like(filters: _Filters, kind: tuple[int, bool, bool]) -> frozenset[int]:
    """Return the days that filters allow in each year of a kind: 0 is the first of January."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415 (rarely needed)

    first = datetime(_year_of(kind), 1, 1)  # noqa: DTZ001 (a day)
    found = list(rrulestr(f"FREQ=YEARLY;INTERVAL=9999;{filters.text}", dtstart=first))
    if filters.positions:
        periods = groupby(found, _PERIODS[filters.period])
        found = [day for _, days in periods for day in _at(filters.positions, list(days))]
    return frozenset((instant - first).days for instant in found)


def _at(positions: tuple[int, ...], days: list[datetime]) -> list[datetime]:
    """Return the days at positions: 1 is the first, and -1 the last."""
    places = {position - 1 if position > 0 else len(days) + position for position in positions}
    return [days[place] for place in places if 0 <= place < len(days)]


def _kind_of(year: int) -> tuple[int, bool, bool]:
    """Return all that decides what the days of a year are like. The year before counts for its last week."""
    return date(year, 1, 1).weekday(), isleap(year), isleap(year - 1)


@cache
def _year_of(kind: tuple[int, bool, bool]) -> int:
    return next(year for year in range(2000, 2400) if _kind_of(year) == kind)


@lru_cache(maxsize=4096)
def _last_day(rule: Rule) -> date:
    read = _read(rule)
    if read.count is None:
        return read.until
    counted = list(islice(read.days_from_start(), read.count))
    return min(counted[-1], read.until) if len(counted) == read.count else read.until
