"""Previews and descriptions of schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from scheduler_service.domain.calendars import CalendarShift, JobCalendar
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.firing import FiringRules, OverlapPolicy
from scheduler_service.domain.jitter import jitter_warning
from scheduler_service.domain.records import Job, schedule_of
from scheduler_service.domain.rescheduling import first_instant
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.clock_effects import ClockEffect, ClockNote, clock_effects, clock_note
from scheduler_service.domain.schedules.schedule import Cron, Schedule, describe, parse, warnings
from scheduler_service.errors import InvalidInputError
from scheduler_service.services import python_environments
from scheduler_service.services.checks import problems_of_preview
from scheduler_service.services.inspection import inspect
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_warnings import job_warnings, normalisation_warnings
from scheduler_service.services.preview_request import PreviewRequest
from scheduler_service.storage import calendars
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

_DAY = timedelta(days=1)
_STEP = timedelta(minutes=5) - timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A future instant in UTC and as wall-clock time of the schedule's zone.

    `note` says what a clock change makes of it, and `calendar` what the calendars of the job do. None: nothing.
    """

    at: datetime
    local: datetime
    note: ClockNote | None = None
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """A schedule in words, and warnings for the job's owner."""

    sentence: str
    warnings: tuple[str, ...]


ON_DEMAND = Description("On demand", ())
"""The description of a job without a schedule."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The future instants of a schedule, with its description and the clock changes of two years."""

    instants: tuple[Upcoming, ...]
    description: Description
    clock_changes: tuple[ClockEffect, ...] = ()


class ScheduleService:
    """Previews schedules without storing anything."""

    def __init__(
        self, clock: Clock, environments: frozenset[str] | None = None, database: Database | None = None
    ) -> None:
        """Warn about Python environments that are not in `environments`.

        Without a database, previews know only built-in calendars.
        """
        self._database = database
        self._clock = clock
        self._environments = environments

    async def read(self, caller: Caller, document: Mapping[str, JsonValue]) -> PreviewRequest:
        """Return the preview request in a document. Raise `RejectedError` with all problems."""
        caller.require(Scope.READ)
        inspection = inspect(PreviewRequest, document, {"schedule_expr": "@hourly"})
        found = list(problems_of_preview(inspection, self._clock.now()))
        if (request := inspection.valid_part) is not None:
            owned = _Owned(caller.bound or "", request)
            unknown = calendars.unknown_calendars(owned, await self._stored(owned))
            found += inspection.about_sent(unknown)
        return inspection.accept(found)

    async def preview(self, caller: Caller, request: PreviewRequest) -> Preview:
        """Return the preview of a schedule. Raise `InvalidInputError` if it is invalid or never fires."""
        caller.require(Scope.READ)
        owned = _Owned(caller.bound or "", request)
        calendar = calendars.calendar_of(owned, await self._stored(owned))
        return await asyncio.to_thread(_preview, request, calendar, self._clock.now())

    async def next_day(self, job: Job) -> tuple[Upcoming, ...]:
        """Return the instants of the next 24 hours, of those that lie within five minutes the first only."""
        if job.next_run_at is None:
            return ()
        calendar = calendars.calendar_of(job, await self._stored(job))
        return await asyncio.to_thread(lambda: tuple(_spread(job, calendar, self._clock.now() + _DAY)))

    async def _stored(self, owned: calendars.NamesCalendars) -> calendars.StoredCalendars:
        if self._database is None or not owned.calendars:
            return {}
        async with self._database.read() as connection:
            return await calendars.read_for(connection, [owned])

    def describe(self, job: Job, sent: Mapping[str, JsonValue] | None = None) -> Description:
        """Return the description of a stored job, with warnings.

        `sent` is the document that the client sent. A schedule that cannot be parsed any more produces a warning.
        """
        try:
            described = _describe_for(job, self._clock.now())
        except InvalidInputError as error:
            described = Description(str(job.schedule_expr), (f"this schedule cannot be read any more: {error}",))
        unknown = python_environments.warnings(job.payload, self._environments)
        changed = normalisation_warnings(sent or {}, job)
        return replace(described, warnings=(*described.warnings, *job_warnings(job), *unknown, *changed))


@dataclass(frozen=True, slots=True)
class _Owned:
    """A preview with the owner whose calendars it names."""

    owner_id: str
    request: PreviewRequest

    @property
    def calendars(self) -> list[str]:
        return self.request.calendars

    @property
    def calendar_shift(self) -> CalendarShift:
        return self.request.calendar_shift

    @property
    def timezone(self) -> str:
        return self.request.timezone


def first_run_at(definition: JobDefinition, now: datetime) -> datetime | None:
    """Return the first instant of a new job, or None if it runs on demand. Raise `InvalidInputError` if it has none."""
    if definition.schedule_expr is None:
        return None
    schedule = parse(definition.schedule_expr, timezone=definition.timezone, dst=definition.dst, anchor_at=now)
    return first_instant(schedule, definition, now)


async def next_instants(job: Job, count: int, calendar: JobCalendar | None = None) -> tuple[Upcoming, ...]:
    """Return the next instants of a job. A paused or finished job has none."""
    if job.next_run_at is None:
        return ()
    instants = _instants(schedule_of(job), job.timezone, job.next_run_at, job.end_at, calendar)
    return await asyncio.to_thread(lambda: tuple(islice(instants, count)))


def _preview(request: PreviewRequest, calendar: JobCalendar | None, now: datetime) -> Preview:
    if request.schedule_expr is None:
        return Preview((), ON_DEMAND)
    schedule = parse(request.schedule_expr, timezone=request.timezone, dst=request.dst, anchor_at=now)
    first = first_instant(schedule, request, now)
    instants = _instants(schedule, request.timezone, first, request.end_at, calendar)
    effects = clock_effects(schedule, ZoneInfo(request.timezone), now)
    return Preview(tuple(islice(instants, request.count)), _describe(schedule, request.dst, now), effects)


def _instants(
    schedule: Schedule, timezone: str, first: datetime, end_at: datetime | None, calendar: JobCalendar | None
) -> Iterator[Upcoming]:
    """Yield the instants from `first` to `end_at`.

    A thousand rare ones take seconds, so never call it on the event loop.
    """
    zone = ZoneInfo(timezone)
    instant: datetime | None = first
    while instant is not None and (end_at is None or instant <= end_at):
        note = clock_note(schedule, zone, instant)
        yield Upcoming(instant, instant.astimezone(zone), note, _of_calendars(instant, calendar))
        instant = schedule.next_after(instant)


def _spread(job: Job, calendar: JobCalendar | None, until: datetime) -> Iterator[Upcoming]:
    """Yield the first instant of each step before `until`, so that a dense schedule costs as little as a sparse one."""
    schedule, zone, instant = schedule_of(job), ZoneInfo(job.timezone), job.next_run_at
    while instant is not None and instant < until and (job.end_at is None or instant <= job.end_at):
        yield Upcoming(instant, instant.astimezone(zone), calendar=_of_calendars(instant, calendar))
        instant = schedule.next_after(instant + _STEP)


def _of_calendars(instant: datetime, calendar: JobCalendar | None) -> str | None:
    if calendar is None or calendar.is_open(instant):
        return None
    moved = calendar.moved(instant)
    if moved is None:
        return "skipped: a calendar excludes this day"
    return f"waits until {moved.astimezone(calendar.zone).isoformat()}: a calendar excludes this day"


def _describe_for(job: Job, now: datetime) -> Description:
    if job.schedule_expr is None:
        return Description(_after(job), ()) if job.after else ON_DEMAND
    schedule = schedule_of(job)
    choices = (DstPolicy(job.dst_gap, job.dst_fold), job.jitter_seconds, job.overlap_policy, job.max_concurrency)
    if isinstance(schedule, Cron):
        return _describe_pattern(schedule, *choices, now.date())
    return _describe_with_jitter(schedule, *choices, now)


def _after(job: Job) -> str:
    """Return after which jobs a job without a schedule runs."""
    ids = [str(each["job"]) for each in job.after]
    if len(ids) == 1:
        return f"After job {ids[0]}"
    return f"After {job.after_mode} of the jobs {', '.join(ids)}"


@lru_cache(maxsize=8192)
def _describe_pattern(
    cron: Cron, dst: DstPolicy, jitter_seconds: float, overlap_policy: OverlapPolicy, max_concurrency: int, day: date
) -> Description:
    """Return the description of a pattern on a day: its warnings are about years, not hours."""
    now = datetime.combine(day, time(), UTC)
    return _describe_with_jitter(cron, dst, jitter_seconds, overlap_policy, max_concurrency, now)


def _describe_with_jitter(
    schedule: Schedule,
    dst: DstPolicy,
    jitter_seconds: float,
    overlap_policy: OverlapPolicy,
    max_concurrency: int,
    now: datetime,
) -> Description:
    described = _describe(schedule, dst, now)
    rules = FiringRules(overlap_policy=overlap_policy, max_concurrency=max_concurrency)
    warning = jitter_warning(schedule, jitter_seconds, rules, now)
    return described if warning is None else replace(described, warnings=(*described.warnings, warning))


def _describe(schedule: Schedule, dst: DstPolicy, now: datetime) -> Description:
    return Description(describe(schedule), warnings(schedule, now, dst))
