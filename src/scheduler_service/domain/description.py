"""Schedules in plain English: what they mean, and what about them may surprise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cron_descriptor import FormatError, Options, get_description  # type: ignore[import-untyped] # it ships none

from scheduler_service.domain.calendar_dst import LAST_YEAR, ClockChange, DstPolicy, clock_changes
from scheduler_service.domain.cron import Cron
from scheduler_service.domain.instant import Instant
from scheduler_service.domain.interval import Interval

_YEAR = timedelta(days=366)
_MINUTE = timedelta(minutes=1)


def describe(schedule: Cron | Interval | Instant) -> str:
    """Say in one English sentence when it fires; never raises."""
    match schedule:
        case Cron():
            return f"{_cron_text(schedule.expr)} ({schedule.zone.key})"
        case Interval():
            return f"Every {_span_text(schedule.every)}, counted from {_utc_text(schedule.anchor_at)}"
        case Instant(wall=None):
            return f"Once, at {_utc_text(schedule.at)}"
        case Instant():
            return f"Once, at {schedule.wall:%Y-%m-%d %H:%M:%S} ({schedule.zone.key})"


def warnings(schedule: Cron | Interval | Instant, now: datetime) -> tuple[str, ...]:
    """Say what may surprise: never fires again, fires every second, first fires in over a year, meets a clock change.

    Clock changes count within the next year, and only for fixed times: the first gap and the first fold.
    """
    following = schedule.next_after(now)
    if following is None:
        return ("It never fires again: all of its instants lie in the past.",)
    return (*_pace_warnings(schedule, now, following), *_clock_warnings(schedule, now))


def _pace_warnings(schedule: Cron | Interval | Instant, now: datetime, following: datetime) -> Iterator[str]:
    if schedule.count_between(following, following + _MINUTE) == _MINUTE.total_seconds():
        yield "It fires every second."
    if following - now > _YEAR:
        yield f"It first fires in more than a year: at {_utc_text(following)}."


def _clock_warnings(schedule: Cron | Interval | Instant, now: datetime) -> Iterator[str]:
    match schedule:
        case Cron(is_fixed=True):
            yield from _cron_clock_warnings(schedule, now)
        case Instant(wall=datetime() as wall):
            for change in _changes(schedule, schedule.at - _DAY, schedule.at + _DAY):
                if change.window[0] <= wall < change.window[1]:
                    yield _clock_text(change, wall, schedule.zone.key, schedule.dst, is_single=True)


def _cron_clock_warnings(cron: Cron, now: datetime) -> Iterator[str]:
    seen: set[bool] = set()
    for change in _changes(cron, now, now + _YEAR):
        if change.is_gap not in seen and (wall := cron.fields.first_in(*change.window)):
            seen.add(change.is_gap)
            yield _clock_text(change, wall, cron.zone.key, cron.dst)


def _changes(schedule: Cron | Instant, start: datetime, end: datetime) -> Iterator[ClockChange]:
    for year in range(start.year, min(end.year, LAST_YEAR) + 1):
        for change in clock_changes(schedule.zone, year):
            if start < change.utc.replace(tzinfo=UTC) <= end:
                yield change


def _clock_text(change: ClockChange, wall: datetime, zone: str, dst: DstPolicy, *, is_single: bool = False) -> str:
    if change.is_gap:
        effect = f"does not exist: it fires at {change.window[1]:%H:%M:%S} instead"
        if dst.gap == "skip":
            effect = "does not exist: it does not fire then"
        return f"On {wall:%Y-%m-%d} {wall:%H:%M:%S} in {zone} {effect} (dst.gap is {dst.gap})."
    effect = {"first": "the first time", "second": "the second time", "both": "both times"}[dst.fold]
    if is_single and dst.fold == "both":
        effect = "the first time, since it fires once"
    return f"On {wall:%Y-%m-%d} {wall:%H:%M:%S} in {zone} happens twice: it fires {effect} (dst.fold is {dst.fold})."


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
        # The descriptor reads two restricted day fields as "either"; cron, where one starts with `*`, means "both".
        return text.replace(", or on ", ", and only on ")
    # It knows no "or" for the n-th or last weekday of a month.
    return _NTH_WEEKDAY.sub(r", or on the \1", text)


def _is_misread(expr: str) -> bool:
    """Whether the descriptor would say something else than cron does: no sentence is better than a false one.

    It takes `1,5L` for the last Monday and Friday, `THU/3` for each third week, and shows the star of a list as such.
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


_DAY = timedelta(days=1)
_NTH_WEEKDAY = re.compile(r", on the (\w+ \w+day)\b")
# The language is fixed: descriptions are part of the API, not of the host's locale.
_ENGLISH = Options(locale_code="en_US", use_24hour_time_format=True)
