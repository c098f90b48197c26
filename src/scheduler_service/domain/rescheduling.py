"""Computes the status and the next instant of an edited job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from scheduler_service.domain.firing import first_run_at
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Job, schedule_of
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.domain.schedules.schedule import Schedule
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError

_NAMES_THE_INSTANTS = ("schedule_expr", "timezone", "dst_gap", "dst_fold", "start_at", "end_at")


def rescheduled(job: Job, edited: Job, *, enabled: bool, now: datetime) -> Job:
    """Return an edited job with its new status, anchor and next instant.

    1. New instants begin now.
    2. A disabled job has no next instant.
    3. A resumed job waits for its next instant from now on.
    4. A job without a schedule has no next instant, and is never finished.

    Raise `InvalidInputError` if a new schedule has no instant. Raise `ConflictError` if the edit pauses or resumes a
    schedule without a future instant.
    """
    if _differs(job, {name: getattr(edited, name) for name in _NAMES_THE_INSTANTS}):
        return _anchored(job, edited, enabled=enabled, now=now)
    if job.status is JobStatus.FINISHED:
        if enabled and edited.max_runs != job.max_runs and _has_runs_left(edited):
            return _resumed(edited, now)
        if not enabled:
            raise ConflictError("the job is finished: it has no future runs to pause")
        return edited
    if not enabled:
        return _paused(edited)
    return _resumed(edited, now) if job.status is JobStatus.PAUSED else edited


def _anchored(job: Job, edited: Job, *, enabled: bool, now: datetime) -> Job:
    anchored = replace(edited, anchor_at=now, schedule_version=job.schedule_version + 1, scheduled_runs=0)
    if anchored.schedule_expr is None:
        return _active(anchored, None) if enabled else _paused(anchored)
    next_run_at = first_instant(schedule_of(anchored), anchored, now)
    return _active(anchored, next_run_at) if enabled else _paused(anchored)


def _paused(job: Job) -> Job:
    return replace(job, status=JobStatus.PAUSED, next_run_at=None)


def _resumed(job: Job, now: datetime) -> Job:
    if job.schedule_expr is None:
        return _active(job, None)
    if not _has_runs_left(job):
        raise ConflictError(f"the job has had its {job.max_runs} runs; raise max_runs")
    next_run_at = first_run_at(schedule_of(job), now=now, start_at=job.start_at, end_at=job.end_at)
    if next_run_at is None:
        raise ConflictError("the schedule has no future instants; give the job a new schedule_expr")
    return _active(job, next_run_at)


def _active(job: Job, next_run_at: datetime | None) -> Job:
    return replace(
        job,
        status=JobStatus.ACTIVE,
        next_run_at=next_run_at,
        pause_reason=None,
        paused_until=None,
        failures_in_a_row=0,
    )


def _has_runs_left(job: Job) -> bool:
    return job.max_runs is None or job.scheduled_runs < job.max_runs


class Bounds(Protocol):
    """The fields that determine when a schedule fires, in a job or in a definition."""

    @property
    def schedule_expr(self) -> str | None:
        """Return the schedule as it was written; None if there is none."""

    @property
    def start_at(self) -> datetime | None:
        """Return the earliest instant."""

    @property
    def end_at(self) -> datetime | None:
        """Return the latest instant."""


def first_instant(schedule: Schedule, bounds: Bounds, now: datetime) -> datetime:
    """Return the next instant of a job. Raise `InvalidInputError` if there is none within its bounds."""
    next_run_at = first_run_at(schedule, now=now, start_at=bounds.start_at, end_at=bounds.end_at)
    if next_run_at is None:
        raise InvalidInputError(date_problem(schedule, bounds, now) or never_fires(bounds.schedule_expr))
    return next_run_at


def date_problem(
    schedule: Schedule, bounds: Bounds, now: datetime, slack: timedelta = timedelta(0)
) -> FieldProblem | None:
    """Return the problem if a schedule has no instant from `now` on within its bounds, or None.

    `slack` is the uncertainty of its instants if the zone is unknown.
    """
    now -= slack
    start_at = None if bounds.start_at is None else bounds.start_at - slack
    end_at = None if bounds.end_at is None else bounds.end_at + slack
    if first_run_at(schedule, now=now, start_at=start_at, end_at=end_at) is not None:
        return None
    if schedule.next_after(now) is None:
        return never_fires(bounds.schedule_expr)
    if start_at is not None and first_run_at(schedule, now=now, start_at=start_at, end_at=None) is None:
        return _names_none("from start_at on", "start_at", bounds.start_at)
    return _names_none("up to end_at", "end_at", bounds.end_at)


def never_fires(schedule_expr: str | None) -> FieldProblem:
    """Return the problem of an instant in the past."""
    return FieldProblem(
        "schedule_expr", "the instant is in the past, so it never fires; write a later one", schedule_expr
    )


def is_rescheduled(job: Job, changes: Mapping[str, Any]) -> bool:
    """Return whether an edit changes the instants of a job."""
    return _differs(job, {name: value for name, value in changes.items() if name in _NAMES_THE_INSTANTS})


def _differs(job: Job, values: Mapping[str, Any]) -> bool:
    return any(getattr(job, name) != value for name, value in values.items())


def _names_none(where: str, bound: str, value: datetime | None) -> FieldProblem:
    message = f"the schedule names no instant {where}; move {bound} or change schedule_expr"
    return FieldProblem(bound, message, None if value is None else iso8601(value))
