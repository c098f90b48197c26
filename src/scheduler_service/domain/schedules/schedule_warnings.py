"""Collects the warnings about a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.clock_warnings import clock_warnings
from scheduler_service.domain.schedules.cron import Cron
from scheduler_service.domain.schedules.cron_warnings import pattern_warnings
from scheduler_service.domain.schedules.instant import Instant
from scheduler_service.domain.schedules.interval import Interval

_YEAR = timedelta(days=366)
_MINUTE = timedelta(minutes=1)
_DEFAULT = DstPolicy()


def warnings(schedule: Cron | Interval | Instant, now: datetime, dst: DstPolicy = _DEFAULT) -> tuple[str, ...]:
    """Return warnings about how often a schedule fires, how its pattern reads, and clock changes.

    `dst` is the policy that the job sets with the schedule.
    """
    following = schedule.next_after(now)
    if following is None:
        return ("It never fires again: all of its instants lie in the past.",)
    pattern = pattern_warnings(schedule.expr, schedule.fields) if isinstance(schedule, Cron) else ()
    return (*_pace_warnings(schedule, now, following), *pattern, *clock_warnings(schedule, now, dst))


def _pace_warnings(schedule: Cron | Interval | Instant, now: datetime, following: datetime) -> Iterator[str]:
    if schedule.count_between(following, following + _MINUTE) == _MINUTE.total_seconds():
        yield "It fires every second."
    if following - now > _YEAR:
        yield f"It first fires in more than a year: at {following.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC."
