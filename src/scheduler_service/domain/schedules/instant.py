"""Schedules that name a single instant, such as `2026-12-31T23:59:59Z`."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from scheduler_service.domain.schedules.calendar_dst import FIRST_YEAR, LAST_YEAR, DstPolicy, resolve
from scheduler_service.domain.schedules.invalid_schedule import invalid_schedule
from scheduler_service.domain.schedules.recurrence import Recurrence


@dataclass(frozen=True, slots=True)
class Instant(Recurrence):
    """One instant, `at` (UTC). `wall` is the naive local time in the expression, or None if it had an offset."""

    at: datetime
    wall: datetime | None
    zone: ZoneInfo
    dst: DstPolicy

    def next_after(self, t: datetime) -> datetime | None:
        """Return the instant if it is after `t`, else None."""
        return self.at if t < self.at else None

    def count_between(self, a: datetime, b: datetime) -> int:
        """Return 1 if the window contains the instant, else 0."""
        return int(a < self.at <= b)

    def last_between(self, a: datetime, b: datetime) -> datetime | None:
        """Return the instant if the window contains it, else None."""
        return self.at if a < self.at <= b else None


def read_instant(text: str, zone: ZoneInfo, dst: DstPolicy) -> Instant:
    """Return the instant of an ISO 8601 text, which is local to `zone` if it has no offset.

    Raise `InvalidInputError` on `schedule_expr`.
    """
    written = _read(text)
    if not FIRST_YEAR < written.year < LAST_YEAR:
        raise invalid_schedule(text, f"the year must lie between {FIRST_YEAR} and {LAST_YEAR}")
    if written.tzinfo is not None:
        return Instant(written.astimezone(UTC), None, zone, dst)
    at = resolve(written, zone, dst)
    if at is None:
        problem = f"the clock in {zone.key} jumps over this time, and dst.gap is skip, so it would never fire"
        raise invalid_schedule(text, f"{problem}; write another time, or dst.gap run_after")
    return Instant(at, written, zone, dst)


def _read(text: str) -> datetime:
    example = "write it as 2026-12-31T23:59:59Z, or without Z in the job's time zone"
    if (wrong := _wrong_part(text)) is not None:
        raise invalid_schedule(text, f"not an instant ({wrong}); {example}")
    try:
        written = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise invalid_schedule(text, f"not an instant ({_reason(text, str(error))}); {example}") from None
    if _TOO_FINE.search(text):
        raise invalid_schedule(text, f"seconds may have at most 6 decimal places; {example}")
    if ":" not in text and "T" not in text.upper():
        raise invalid_schedule(text, f"a date needs a time; {example}")
    return written


def _wrong_part(text: str) -> str | None:
    """Return the part of an instant that is out of range, or None if all parts are valid or the form is another.

    Python's own messages differ between versions, and so does its treatment of 24:00.
    """
    match = _PARTS.match(text)
    if match is None:
        return None
    parts = {name: int(digits) for name, digits in match.groupdict().items() if digits is not None}
    for name, (first, last) in _RANGES.items():
        if not first <= parts.get(name, first) <= last:
            return f"{name} must be in {first}..{last}, not {parts[name]}"
    last_day = monthrange(parts["year"], parts["month"])[1]
    if not 1 <= parts["day"] <= last_day:
        return f"day must be in 1..{last_day} in month {parts['month']} of {parts['year']}, not {parts['day']}"
    return None


def _reason(text: str, error: str) -> str:
    if "[" in text:  # RFC 9557
        return "write a zone in brackets into the field timezone"
    return "an offset must be less than a day" if "timedelta" in error else "not ISO 8601"


_PARTS = re.compile(
    r"(?P<year>\d{4})(-?)(?P<month>\d\d)\2(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?:(:?)(?P<minute>\d\d)(?:\6(?P<second>\d\d))?)?)?(?!\d)",
    re.ASCII | re.IGNORECASE,
)
_RANGES = {"year": (1, 9999), "month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}

_TOO_FINE = re.compile(r"[.,]\d{7}", re.ASCII)
