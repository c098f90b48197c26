"""Runs, as lists and pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import ACTIVE, TERMINAL, RunStatus
from scheduler_service.web.views.status import Status, status_of_run

NOTICEABLE_LATENESS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a list. `seconds` is how long it took, or has taken so far. None: it never began."""

    id: int
    job_id: int
    job_name: str
    status: Status
    at: datetime
    trigger: str
    started_at: datetime | None
    seconds: float | None
    lateness: float | None
    attempts: int
    reason: str | None
    message: str | None
    worker: str | None
    missed_count: int
    is_active: bool
    can_retry: bool


def run_row(run: Run, job_name: str, now: datetime) -> RunRow:
    """Return the row of a run."""
    late = run.lateness_seconds
    return RunRow(
        id=run.id,
        job_id=run.job_id,
        job_name=job_name,
        status=status_of_run(run.status),
        at=run.scheduled_for,
        trigger=run.trigger,
        started_at=run.started_at,
        seconds=run_seconds(run, now),
        lateness=late if late is not None and late >= NOTICEABLE_LATENESS_SECONDS else None,
        attempts=run.attempt,
        reason=run.reason,
        message=run.message,
        worker=run.worker_id,
        missed_count=run.missed_count or 1,
        is_active=run.status in ACTIVE,
        can_retry=run.status in TERMINAL and run.status is not RunStatus.SUCCESS,
    )


def run_seconds(run: Run, now: datetime) -> float | None:
    """Return the time from the start of a run to its end, or until now."""
    if run.started_at is None:
        return None
    return max(0.0, ((run.finished_at or now) - run.started_at).total_seconds())
