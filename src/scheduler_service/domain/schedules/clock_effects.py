"""Clock changes beside a schedule: which of its instants they touch, and what they do to it within two years."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from scheduler_service.domain.schedules.calendar_dst import LAST_YEAR, ClockChange, clock_changes
from scheduler_service.domain.schedules.cron import Cron
from scheduler_service.domain.schedules.instant import Instant
from scheduler_service.domain.schedules.interval import Interval

HORIZON = timedelta(days=2 * 366)

ClockNote = Literal["gap", "fold_first", "fold_second"]


@dataclass(frozen=True, slots=True)
class ClockEffect:
    """A clock change, and how many times of a schedule it removes or repeats.

    `local_from` and `local_to` are the naive times that do not exist or happen twice, the end excluded.
    """

    at: datetime
    kind: Literal["gap", "fold"]
    local_from: datetime
    local_to: datetime
    times: int


def changes_between(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockChange]:
    """Yield the changes of a zone after `start`, up to `end`."""
    for year in range(start.year, min(end.year, LAST_YEAR) + 1):
        for change in clock_changes(zone, year):
            if start < change.utc.replace(tzinfo=UTC) <= end:
                yield change


def clock_effects(schedule: Cron | Interval | Instant, zone: ZoneInfo, now: datetime) -> tuple[ClockEffect, ...]:
    """Return the changes of the next two years, with the times of the schedule that each touches."""
    return tuple(
        ClockEffect(
            change.utc.replace(tzinfo=UTC),
            "gap" if change.is_gap else "fold",
            *change.window,
            _times(schedule, change),
        )
        for change in changes_between(zone, now, now + HORIZON)
    )


def clock_note(schedule: Cron | Interval | Instant, zone: ZoneInfo, instant: datetime) -> ClockNote | None:
    """Return what a clock change makes of an instant of a schedule, or None if it is an ordinary one.

    `gap`: it stands for times that do not exist. `fold_first` and `fold_second`: its time of day happens twice.
    """
    local = instant.astimezone(zone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return "fold_second" if local.fold else "fold_first"
    change = next((each for each in clock_changes(zone, instant.year) if each.utc.replace(tzinfo=UTC) == instant), None)
    is_after_gap = change is not None and change.is_gap and _fires_for_gap(schedule)
    return "gap" if is_after_gap and change is not None and _times(schedule, change) else None


def _fires_for_gap(schedule: Cron | Interval | Instant) -> bool:
    match schedule:
        case Cron():
            return schedule.policy.gap == "run_after"
        case Instant():
            return schedule.dst.gap == "run_after"
        case Interval():
            return False


def _times(schedule: Cron | Interval | Instant, change: ClockChange) -> int:
    match schedule:
        case Cron():
            return schedule.fields.count_in(*change.window)
        case Instant(wall=datetime() as wall):
            return int(change.window[0] <= wall < change.window[1])
    return 0
