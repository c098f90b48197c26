"""Schedules written as a duration: `5m`, `1h30m`, `PT5M`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.schedules.invalid_schedule import invalid_schedule
from scheduler_service.domain.schedules.recurrence import Recurrence

MIN_SPAN, MAX_SPAN = timedelta(seconds=1), timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Interval(Recurrence):
    """The instants `anchor_at` + k · `every` for k ≥ 1. Late runs and clock changes do not shift them.

    `zone` is the owner's zone. It is used in descriptions and does not affect the instants.
    """

    every: timedelta
    anchor_at: datetime
    zone: ZoneInfo | None = None

    def next_after(self, t: datetime) -> datetime | None:
        """Return the first instant after `t`, or None beyond the year 9999."""
        return self._instant(self._index(t) + 1)

    def count_between(self, a: datetime, b: datetime) -> int:
        """Return the number of instants in the window, computed by division."""
        return max(0, self._index(b) - self._index(a))

    def last_between(self, a: datetime, b: datetime) -> datetime | None:
        """Return the latest instant in the window, computed by division."""
        index = self._index(b)
        return self._instant(index) if index > self._index(a) else None

    def _index(self, t: datetime) -> int:
        """Return the number k of the latest instant at or before `t`, or 0 before the first."""
        return max(0, (t - self.anchor_at) // self.every)

    def _instant(self, index: int) -> datetime | None:
        try:
            return self.anchor_at + index * self.every
        except OverflowError:
            return None


def read_interval(text: str) -> timedelta:
    """Return the duration, from one second to 3650 days. Raise `InvalidInputError` on `schedule_expr`."""
    if _MONTHS.search(text):
        raise invalid_schedule(text, f"an upper-case M is ambiguous (minutes or months); {_EXAMPLES}")
    compact = "".join(text.lower().split())
    match = _ISO.fullmatch(compact) or _PLAIN.fullmatch(compact)
    if match is None or not any(match.groups()):
        raise invalid_schedule(text, _syntax_problem(compact))
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    every = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if every < MIN_SPAN:
        raise invalid_schedule(text, "an interval must be at least 1 second; write 1s or more")
    if every > MAX_SPAN:
        raise invalid_schedule(text, _TOO_LONG)
    return every


def _syntax_problem(compact: str) -> str:
    if "-" in compact:
        return f"an interval cannot be negative; {_EXAMPLES}"
    if "." in compact or "," in compact:
        return f"an interval must not have fractions; {_EXAMPLES}"
    if compact.isdigit():
        return f"a number needs its unit; {_EXAMPLES}"
    if _HUGE.fullmatch(compact):
        return _TOO_LONG
    if _CALENDAR_UNIT.fullmatch(compact):
        return (
            f"months and years vary in length, so they cannot be intervals; {_EXAMPLES}, or a cron pattern (@monthly)"
        )
    return f"not an interval; {_EXAMPLES}, in this order: w d h m s, each unit once"


# Eight digits of any unit fit into a timedelta. Longer numbers are refused before they can overflow.
_WEEKS_AND_DAYS = r"(?:(\d{1,8})w)?(?:(\d{1,8})d)?"
_TIME = r"(?:(\d{1,8})h)?(?:(\d{1,8})m)?(?:(\d{1,8})s)?"
_PLAIN = re.compile(_WEEKS_AND_DAYS + _TIME, re.ASCII)
_ISO = re.compile(f"p{_WEEKS_AND_DAYS}(?:t(?=.){_TIME})?", re.ASCII)
_HUGE = re.compile(r".*\d{9}.*", re.ASCII)
_CALENDAR_UNIT = re.compile(r"p\d+[ym].*|\d+(y|years?|mo|months?)", re.ASCII)
_MONTHS = re.compile(r"^[^pP]*\dM", re.ASCII)
_EXAMPLES = "write whole numbers with their units, such as 30s, 5m, 1h30m, 2d, 1w or PT5M"
_TOO_LONG = "an interval must be at most 3650 days; for longer spans write a cron pattern or an instant"
