"""Reads the days of the events in an iCalendar file (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from scheduler_service.domain.day_sets import Rule

MAX_DAYS = 366
"""The longest event."""

_DAY = timedelta(days=1)


def read_ical(text: str) -> tuple[list[date], list[Rule]]:
    """Return the days of single events, and the rules of repeated ones. Raise `ValueError` if the file is invalid."""
    try:
        return _read(text)
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:  # by what the library finds missing
        raise ValueError(f"ical: no valid iCalendar file: {error}") from error


def _read(text: str) -> tuple[list[date], list[Rule]]:
    from icalendar import Calendar, Event  # noqa: PLC0415 (slow, and rarely needed)

    dates: list[date] = []
    rules: list[Rule] = []
    for event in Calendar.from_ical(text).walk("VEVENT"):
        if not isinstance(event, Event):
            continue
        days = list(_days_of(event.start, event.end))
        if "EXDATE" in event or "RDATE" in event:
            title = str(event.get("SUMMARY", ""))
            raise ValueError(f"ical: the event {title!r} has EXDATE or RDATE; write its days as dates")
        if "RRULE" in event:
            rrule = event["RRULE"].to_ical()
            rules += [Rule(day, rrule if isinstance(rrule, str) else rrule.decode()) for day in days]
        else:
            dates += days
    return dates, rules


def _days_of(start: date, end: date) -> Iterator[date]:
    """Yield the days from the start to before the end; an event with times has the days that it touches."""
    if isinstance(end, datetime):
        end -= timedelta.resolution
    first, last = (value.date() if isinstance(value, datetime) else value for value in (start, end))
    if not isinstance(end, datetime):
        last -= _DAY
    count = max(1, (last - first).days + 1)
    if count > MAX_DAYS:
        raise ValueError(f"ical: an event takes {count} days, and the limit is {MAX_DAYS}")
    return (first + number * _DAY for number in range(count))
