"""Pauses that the service makes and ends by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from scheduler_service.domain.firing import first_run_at
from scheduler_service.domain.records import Job, schedule_of
from scheduler_service.domain.run_state import JobStatus


def failures_text(count: int) -> str:
    """Return why a job is paused after failures."""
    return "its last run failed" if count == 1 else f"its last {count} runs failed"


def after_pause(job: Job) -> Job:
    """Return a job whose pause has an end, as it is from that end on.

    Its instants since then are owed, even if no dispatcher was alive. The job is finished if it has no instant left.
    Raise `InvalidInputError` if its schedule cannot be parsed any more.
    """
    assert job.paused_until is not None  # noqa: S101 (only such jobs are passed)
    if job.schedule_expr is None:
        return _resumed(job, JobStatus.ACTIVE, None)
    next_run_at = first_run_at(schedule_of(job), now=job.paused_until, start_at=job.start_at, end_at=job.end_at)
    return _resumed(job, JobStatus.FINISHED if next_run_at is None else JobStatus.ACTIVE, next_run_at)


def _resumed(job: Job, status: JobStatus, next_run_at: datetime | None) -> Job:
    return replace(
        job, status=status, next_run_at=next_run_at, pause_reason=None, paused_until=None, failures_in_a_row=0
    )
