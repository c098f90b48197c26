"""Parses schedule expressions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.cron import HORIZON_YEARS, Cron
from scheduler_service.domain.schedules.cron_syntax import read_pattern
from scheduler_service.domain.schedules.description import describe
from scheduler_service.domain.schedules.instant import Instant, read_instant
from scheduler_service.domain.schedules.interval import Interval, read_interval
from scheduler_service.domain.schedules.invalid_schedule import invalid_schedule
from scheduler_service.domain.schedules.phrases import remedy_for
from scheduler_service.domain.schedules.schedule_warnings import warnings
from scheduler_service.domain.schedules.zone import load_zone
from scheduler_service.errors import InvalidInputError

__all__ = ["Cron", "Instant", "Interval", "Schedule", "describe", "parse", "warnings"]

Schedule = Cron | Interval | Instant

MAX_EXPR_CHARACTERS = 256


def parse(expr: str, *, timezone: str, dst: DstPolicy, anchor_at: datetime) -> Schedule:
    """Return the schedule of a cron pattern, an interval or an instant. Repeated calls are cheap because of a cache.

    Intervals count from `anchor_at`. Raise `InvalidInputError` on `schedule_expr` or `timezone` if the text is invalid
    or can never fire. An instant in the past is valid: its `next_after(now)` is None.
    """
    read = _read(expr, timezone, dst, anchor_at.year)
    return Interval(read, anchor_at, load_zone(timezone)) if isinstance(read, timedelta) else read


@lru_cache(maxsize=16_384)
def _read(expr: str, timezone: str, dst: DstPolicy, year: int) -> Cron | Instant | timedelta:
    zone = load_zone(timezone)
    text = _clean(expr)
    try:
        return _read_text(text, zone, dst, year)
    except InvalidInputError:
        if remedy := remedy_for(text):
            raise invalid_schedule(text, f"not a schedule; {remedy}") from None
        raise


def _read_text(text: str, zone: ZoneInfo, dst: DstPolicy, year: int) -> Cron | Instant | timedelta:
    if prefix := _ZONE_PREFIX.fullmatch(text):
        remedy = f"write {prefix[1]} into the field timezone, and {prefix[2]} here"
        raise invalid_schedule(text, f"a schedule cannot contain a time zone; {remedy}")
    if _INSTANT.match(text):
        return read_instant(text, zone, dst)
    if _INTERVAL.fullmatch(text):
        return read_interval(text)
    if text.startswith("@") or text.count(" ") >= _MIN_CRON_SPACES:
        return _read_cron(text, zone, dst, year)
    raise invalid_schedule(text, f"not a schedule; {_FORMS}")


def _clean(expr: str) -> str:
    text = " ".join(expr[: 4 * MAX_EXPR_CHARACTERS].split())
    shown = text[:MAX_EXPR_CHARACTERS].encode("ascii", "backslashreplace").decode()
    if not text:
        raise invalid_schedule(shown, f"empty; {_FORMS}")
    if len(expr) > 4 * MAX_EXPR_CHARACTERS or len(text) > MAX_EXPR_CHARACTERS:
        raise invalid_schedule(shown, f"longer than {MAX_EXPR_CHARACTERS} characters; split it into several jobs")
    # Check `expr`, because `split` also removes blanks that cron does not accept, such as a no-break space.
    if not (expr.isascii() and text.isprintable()):
        raise invalid_schedule(shown, f"contains characters that are not ASCII; {_FORMS}")
    return text


def _read_cron(text: str, zone: ZoneInfo, dst: DstPolicy, year: int) -> Cron:
    pattern = read_pattern(text)
    cron = Cron(pattern.expr, zone, dst, pattern.fields, pattern.is_fixed)
    if _can_be_all_in_gaps(cron, year) and cron.next_after(datetime(year, 1, 1, tzinfo=UTC)) is None:
        problem = f"does not fire once in {HORIZON_YEARS} years: the clock in {zone.key} jumps over every time it names"
        raise invalid_schedule(text, f"{problem}; write another time, or dst.gap run_after with a fixed time")
    return cron


def _can_be_all_in_gaps(cron: Cron, year: int) -> bool:
    """Return whether every time of a pattern may be one that a clock change removes.

    No zone has gaps on three days of a month.
    """
    if cron.policy.gap != "skip":
        return False
    return all(len(cron.fields.days_in(year, month)) < _MORE_DAYS_THAN_GAPS for month in cron.fields.months)


_MORE_DAYS_THAN_GAPS = 3
_FORMS = (
    "write a cron pattern (*/10 * * * *), an alias (@daily), an interval (5m, 1h30m, PT5M) "
    "or an instant (2026-12-31T23:59:59Z)"
)
# The form of crontab(5) and of some libraries.
_ZONE_PREFIX = re.compile(r"(?:CRON_)?TZ=\"?([^\s\"]+)\"? (.+)", re.ASCII | re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-[\dW]|\d{8}T", re.ASCII | re.IGNORECASE)
# A plain number, or numbers with units: everything that can be meant as a duration.
_INTERVAL = re.compile(r"[-+]?p.*|[-+]?[\d.,]+|[-+]?[\d.,]+ ?-?[a-z][\w.,+ -]*", re.ASCII | re.IGNORECASE)
_MIN_CRON_SPACES = 2  # text with fewer words is not meant as cron
