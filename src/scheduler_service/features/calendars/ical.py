"""Reads the days of the events in an iCalendar file (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from scheduler_service.domain.recurrence_rules import Rule

MAX_DAYS = 366
"""The longest event."""
MAX_CHARACTERS = 300_000
"""The library reads this many in half a second."""

_MAX_DATES, _MAX_RULES = 5000, 100  # as many as a calendar may have
_MAX_MESSAGE_CHARACTERS = 300  # errors of the library contain what is wrong, whatever its length
_DAY = timedelta(days=1)


@lru_cache(maxsize=1)
def read_ical(text: str) -> tuple[Sequence[date], Sequence[Rule]]:
    """Return the days of single events, and the rules of repeated ones. Raise `ValueError` if the file is invalid."""
    try:
        return _read(text)
    except _UnusableError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:  # by what is missing
        why = str(error)[:_MAX_MESSAGE_CHARACTERS]
        raise _UnusableError(f"ical: no valid iCalendar file: {why}") from error


class _UnusableError(ValueError):
    """The file cannot be used, and the message is ours."""


def _read(text: str) -> tuple[Sequence[date], Sequence[Rule]]:
    from icalendar import Calendar, Event  # noqa: PLC0415 (slow, and rarely needed)

    dates: list[date] = []
    rules: list[Rule] = []
    for event in Calendar.from_ical(text).walk("VEVENT"):
        if not isinstance(event, Event):
            continue
        days = list(_days_of(event.start, event.end))
        if "EXDATE" in event or "RDATE" in event:
            title = str(event.get("SUMMARY", ""))[:_MAX_MESSAGE_CHARACTERS]
            raise _UnusableError(f"ical: the event {title!r} has EXDATE or RDATE; write its days as dates")
        if "RRULE" in event:
            rrule = event["RRULE"].to_ical()
            rules += [Rule(day, rrule if isinstance(rrule, str) else rrule.decode()) for day in days]
        else:
            dates += days
        if len(dates) > _MAX_DATES or len(rules) > _MAX_RULES:
            raise _UnusableError(
                f"ical: more than {_MAX_DATES:,} days or {_MAX_RULES} repeated ones; write fewer events"
            )
    return tuple(dates), tuple(rules)


def _days_of(start: date, end: date) -> Iterator[date]:
    """Yield the days from the start to before the end; an event with times has the days that it touches."""
    if isinstance(end, datetime):
        end -= timedelta.resolution
    first, last = (value.date() if isinstance(value, datetime) else value for value in (start, end))
    if not isinstance(end, datetime):
        last -= _DAY
    count = max(1, (last - first).days + 1)
    if count > MAX_DAYS:
        raise _UnusableError(f"ical: an event takes {count} days, and the limit is {MAX_DAYS}")
    return (first + number * _DAY for number in range(count))
