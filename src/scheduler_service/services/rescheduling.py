"""What an edit of a job makes of its schedule."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from scheduler_service.domain.firing import first_run_at
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.domain.schedule import Schedule
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError
from scheduler_service.services.definition import JobDefinition
from scheduler_service.services.schedules import never_fires
from scheduler_service.storage.records import Job, schedule_of

_NAMES_THE_INSTANTS = ("schedule_expr", "timezone", "dst_gap", "dst_fold", "start_at", "end_at")


def new_schedule(job: Job, edited: Job, *, enabled: bool, now: datetime) -> dict[str, Any]:
    """Give the status, and the instant that comes next, of a job after an edit.

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


def first_instant(schedule: Schedule, bounds: Job | JobDefinition, now: datetime) -> datetime:
    """Give the instant that a job waits for; raises `InvalidInputError` where there is none within its bounds."""
    next_run_at = first_run_at(schedule, now=now, start_at=bounds.start_at, end_at=bounds.end_at)
    if next_run_at is not None:
        return next_run_at
    if schedule.next_after(now) is None:
        raise InvalidInputError(never_fires(bounds.schedule_expr))
    if bounds.start_at is not None and first_run_at(schedule, now=now, start_at=bounds.start_at, end_at=None) is None:
        raise InvalidInputError(_names_none("from start_at on", "start_at", bounds.start_at))
    raise InvalidInputError(_names_none("up to end_at", "end_at", bounds.end_at))


def _names_none(where: str, bound: str, value: datetime | None) -> FieldProblem:
    message = f"the schedule names no instant {where}; move {bound} or change schedule_expr"
    return FieldProblem(bound, message, value and value.isoformat().replace("+00:00", "Z"))
