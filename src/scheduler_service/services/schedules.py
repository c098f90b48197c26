"""Schedules as clients look at them: upcoming instants, a sentence, warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from scheduler_service.domain.schedule import Schedule, describe, parse, warnings
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.definition import PreviewRequest
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.records import Job, schedule_of


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One instant to come, in UTC and on the wall clock of the schedule's zone."""

    at: datetime
    local: datetime


@dataclass(frozen=True, slots=True)
class Description:
    """A schedule in words, and what its owner should know of it."""

    sentence: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule would do from now on."""

    instants: tuple[Upcoming, ...]
    description: Description


class ScheduleService:
    """Looks at schedules without storing anything."""

    def __init__(self, clock: Clock) -> None:
        """Take "now" from this clock."""
        self._clock = clock

    def preview(self, request: PreviewRequest) -> Preview:
        """Say what a schedule would do; raises `InvalidInputError` where it is wrong or never fires."""
        now = self._clock.now()
        schedule = parse(request.schedule_expr, timezone=request.timezone, dst=request.dst, anchor_at=now)
        first = schedule.next_after(now)
        if first is None:
            raise InvalidInputError(never_fires(request.schedule_expr))
        instants = upcoming(schedule, request.timezone, first, None)
        return Preview(tuple(islice(instants, request.count)), _describe(schedule, now))

    def describe(self, job: Job) -> Description:
        """Describe the schedule of a stored job; one that cannot be read any more says so in a warning."""
        try:
            return _describe(schedule_of(job), self._clock.now())
        except InvalidInputError as error:
            return Description(job.schedule_expr, (f"this schedule cannot be read any more: {error}",))


def upcoming(schedule: Schedule, timezone: str, first: datetime, end_at: datetime | None) -> Iterator[Upcoming]:
    """Give the instants of a schedule from `first` to `end_at`."""
    zone = ZoneInfo(timezone)
    instant: datetime | None = first
    while instant is not None and (end_at is None or instant <= end_at):
        yield Upcoming(instant, instant.astimezone(zone))
        instant = schedule.next_after(instant)


def never_fires(schedule_expr: str) -> FieldProblem:
    """Say that an instant is past."""
    return FieldProblem("schedule_expr", "this never fires: it is past; name an instant still to come", schedule_expr)


def _describe(schedule: Schedule, now: datetime) -> Description:
    return Description(describe(schedule), warnings(schedule, now))
