"""An oracle of Vixie cron, written from crontab(5) and the rules of its parser, without any code of the service.

A field is a set of numbers. A field that begins with `*` is a star, with a step as well. If day-of-month or day-of-week
is a star, both must match; otherwise one of them is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = {name: number for number, name in enumerate(_MONTHS, start=1)}
DAYS = {name: number for number, name in enumerate(_DAYS)}


@dataclass(frozen=True)
class Field:
    values: frozenset[int]
    is_star: bool


@dataclass(frozen=True)
class Entry:
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    def fires_on(self, on: date) -> bool:
        if on.month not in self.month.values:
            return False
        by_day = on.day in self.day.values
        by_weekday = on.isoweekday() % 7 in self.weekday.values
        if self.day.is_star or self.weekday.is_star:
            return by_day and by_weekday
        return by_day or by_weekday

    def times(self) -> list[time]:
        return [time(hour, minute) for hour in sorted(self.hour.values) for minute in sorted(self.minute.values)]

    def instants(self, first: date, days: int) -> Iterator[datetime]:
        times = self.times()
        for number in range(days):
            on = first + timedelta(days=number)
            if self.fires_on(on):
                yield from (datetime.combine(on, at) for at in times)


def parse(schedule: str) -> Entry:
    minute, hour, day, month, weekday = NICKNAMES.get(schedule.lower(), schedule).lower().split()
    week = _field(weekday, 0, 7, DAYS)
    return Entry(
        _field(minute, 0, 59, {}),
        _field(hour, 0, 23, {}),
        _field(day, 1, 31, {}),
        _field(month, 1, 12, MONTHS),
        Field(frozenset(value % 7 for value in week.values), week.is_star),
    )


def _field(text: str, low: int, high: int, names: dict[str, int]) -> Field:
    values: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = names.get(first, -1) if first in names else int(first)
            end = begin if not last else names[last] if last in names else int(last)
        values |= set(range(begin, end + 1, int(step or 1)))
    return Field(frozenset(values), text.startswith("*"))
