"""What an edit of a job makes of its schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from scheduler_service.domain.firing import first_run_at
from scheduler_service.domain.records import Job, schedule_of
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.domain.schedules.schedule import Schedule
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError

_NAMES_THE_INSTANTS = ("schedule_expr", "timezone", "dst_gap", "dst_fold", "start_at", "end_at")


def new_schedule(job: Job, edited: Job, *, enabled: bool, now: datetime) -> dict[str, Any]:
    """Return the status, and the instant that comes next, of a job after an edit.

    Raises `ConflictError` where the edit asks to stop or resume a schedule that names no instant any more.
    """
    is_new = any(getattr(job, name) != getattr(edited, name) for name in _NAMES_THE_INSTANTS)
    begun: dict[str, Any] = {}
    if is_new:
        begun = {"anchor_at": now, "schedule_version": job.schedule_version + 1}
        edited = replace(edited, anchor_at=now)
        next_run_at: datetime | None = first_instant(schedule_of(edited), edited, now)
    elif job.status is JobStatus.FINISHED:
        if not enabled:
            raise ConflictError("the job is finished: no instant is to come that a pause could hold back")
        return {}
    elif enabled and job.status is JobStatus.PAUSED:
        next_run_at = first_run_at(schedule_of(job), now=now, start_at=job.start_at, end_at=job.end_at)
        if next_run_at is None:
            raise ConflictError("the schedule names no instant any more; give the job a new schedule_expr")
    elif enabled:
        return {}
    if not enabled:
        return {**begun, "status": JobStatus.PAUSED, "next_run_at": None}
    return {**begun, "status": JobStatus.ACTIVE, "next_run_at": next_run_at}


class Bounds(Protocol):
    """What says when a schedule counts: a job, or the definition of one."""

    @property
    def schedule_expr(self) -> str:
        """Return the schedule as it was written."""

    @property
    def start_at(self) -> datetime | None:
        """Return from when on its instants count."""

    @property
    def end_at(self) -> datetime | None:
        """Return until when its instants count."""


def first_instant(schedule: Schedule, bounds: Bounds, now: datetime) -> datetime:
    """Return the instant that a job waits for; raises `InvalidInputError` if there is none within its bounds."""
    next_run_at = first_run_at(schedule, now=now, start_at=bounds.start_at, end_at=bounds.end_at)
    if next_run_at is None:
        raise InvalidInputError(date_problem(schedule, bounds, now) or never_fires(bounds.schedule_expr))
    return next_run_at


def date_problem(
    schedule: Schedule, bounds: Bounds, now: datetime, slack: timedelta = timedelta(0)
) -> FieldProblem | None:
    """Return why a schedule names no instant from `now` on within its bounds; None if it names one.

    `slack` is how far its instants may lie elsewhere, since its zone is not known.
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


def never_fires(schedule_expr: str) -> FieldProblem:
    """Return the problem of an instant that is past."""
    return FieldProblem("schedule_expr", "this never fires: it is past; name an instant still to come", schedule_expr)


def is_rescheduled(job: Job, edited: Mapping[str, Any]) -> bool:
    """Whether an edit changes the instants that a job names."""
    return any(getattr(job, name) != edited.get(name, getattr(job, name)) for name in _NAMES_THE_INSTANTS)


def written(instant: datetime | None) -> str | None:
    """Write an instant as answers do."""
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _names_none(where: str, bound: str, value: datetime | None) -> FieldProblem:
    message = f"the schedule names no instant {where}; move {bound} or change schedule_expr"
    return FieldProblem(bound, message, written(value))
