"""Describes schedules in plain English."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cron_descriptor import FormatError, Options, get_description  # type: ignore[import-untyped] # no type hints

from scheduler_service.domain.schedules.cron import Cron
from scheduler_service.domain.schedules.instant import Instant
from scheduler_service.domain.schedules.interval import Interval


def describe(schedule: Cron | Interval | Instant) -> str:
    """Return one English sentence that says when the schedule fires. Never raises."""
    match schedule:
        case Cron():
            return f"{_cron_text(schedule.expr)} ({schedule.zone.key})"
        case Interval():
            return f"Every {_span_text(schedule.every)}, counted from {_utc_text(schedule.anchor_at)}"
        case Instant(wall=None):
            return f"Once, at {_utc_text(schedule.at)}"
        case Instant():
            return f"Once, at {schedule.wall:%Y-%m-%d %H:%M:%S} ({schedule.zone.key})"


@lru_cache(maxsize=8192)
def _cron_text(expr: str) -> str:
    by_name = f"At the times of the cron pattern {expr}"
    if _is_misread(expr):
        return by_name
    try:
        text = str(get_description(expr, _ENGLISH))
    except FormatError:
        return by_name
    day, _, weekday = expr.split()[-3:]
    if day.startswith("*") or weekday.startswith("*"):
        # The library joins two restricted day fields with "or". cron(8) requires both if one of them starts with `*`.
        return text.replace(", or on ", ", and only on ")
    # The library has no "or" for the n-th or last weekday of a month.
    return _NTH_WEEKDAY.sub(r", or on the \1", text)


def _is_misread(expr: str) -> bool:
    """Return whether the library would describe this pattern wrongly; such a pattern gets no description.

    It reads `1,5L` as the last Monday and Friday, `THU/3` as every third week, and prints the star of a list.
    """
    day, _, weekday = expr.split()[-3:]
    lists = [part for part in expr.split() if "," in part]
    specials = [part for part in (day, weekday) if "L" in part or "#" in part]
    return "/" in weekday or any("*" in part for part in lists) or any(part in lists for part in specials)


def _span_text(span: timedelta) -> str:
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    counts = {"day": span.days, "hour": hours, "minute": minutes, "second": seconds}
    parts = [f"{count} {unit}{'s' * (count > 1)}" for unit, count in counts.items() if count]
    return parts[0].removeprefix("1 ") if len(parts) == 1 else " ".join(parts)


def _utc_text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


_NTH_WEEKDAY = re.compile(r", on the (\w+ \w+day)\b")
# The language is fixed, because descriptions are part of the API and must not depend on the host's locale.
_ENGLISH = Options(locale_code="en_US", use_24hour_time_format=True)
