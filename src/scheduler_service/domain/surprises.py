"""What about a schedule may surprise its owner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.calendar_dst import LAST_YEAR, ClockChange, DstPolicy, clock_changes
from scheduler_service.domain.cron import Cron
from scheduler_service.domain.cron_surprises import pattern_warnings
from scheduler_service.domain.instant import Instant
from scheduler_service.domain.interval import Interval

_YEAR = timedelta(days=366)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def warnings(schedule: Cron | Interval | Instant, now: datetime) -> tuple[str, ...]:
    """Say what may surprise: in its pace, in how its pattern reads, and at clock changes.

    Clock changes count within the next year, and only for fixed times: the first gap and the first fold.
    """
    following = schedule.next_after(now)
    if following is None:
        return ("It never fires again: all of its instants lie in the past.",)
    pattern = pattern_warnings(schedule.expr, schedule.fields) if isinstance(schedule, Cron) else ()
    return (*_pace_warnings(schedule, now, following), *pattern, *_clock_warnings(schedule, now))


def _pace_warnings(schedule: Cron | Interval | Instant, now: datetime, following: datetime) -> Iterator[str]:
    if schedule.count_between(following, following + _MINUTE) == _MINUTE.total_seconds():
        yield "It fires every second."
    if following - now > _YEAR:
        yield f"It first fires in more than a year: at {following.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC."


def _clock_warnings(schedule: Cron | Interval | Instant, now: datetime) -> Iterator[str]:
    match schedule:
        case Cron(is_fixed=True):
            yield from _cron_clock_warnings(schedule, now)
        case Interval(zone=ZoneInfo() as zone) if not schedule.every % _DAY:
            for change in _changes(zone, now, now + _YEAR):
                yield (
                    f"A day is 24 hours here: from {change.window[0]:%Y-%m-%d} on, when the clock in {zone.key} "
                    "changes, it fires at another time of day; for the same time each day write a cron pattern."
                )
                return
        case Instant(wall=datetime() as wall):
            for change in _changes(schedule.zone, schedule.at - _DAY, schedule.at + _DAY):
                if change.window[0] <= wall < change.window[1]:
                    yield _clock_text(change, wall, schedule.zone.key, schedule.dst, is_single=True)


def _cron_clock_warnings(cron: Cron, now: datetime) -> Iterator[str]:
    seen: set[bool] = set()
    for change in _changes(cron.zone, now, now + _YEAR):
        if change.is_gap not in seen and (wall := cron.fields.first_in(*change.window)):
            seen.add(change.is_gap)
            yield _clock_text(change, wall, cron.zone.key, cron.dst)


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockChange]:
    for year in range(start.year, min(end.year, LAST_YEAR) + 1):
        for change in clock_changes(zone, year):
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
