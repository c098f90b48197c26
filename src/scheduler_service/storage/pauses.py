"""Pauses that the service makes and ends: after failures in a row, and at the end that a user has named."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, bindparam, case, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.pauses import failures_text
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus, RunStatus
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.tables import jobs

# Built once, as in `transitions`.
_reset_failures = update(jobs).where(jobs.c.id == bindparam("of_job"), jobs.c.failures_in_a_row > 0)
_is_to_be_paused = and_(
    jobs.c.status == JobStatus.ACTIVE,
    jobs.c.failures_in_a_row + 1 >= jobs.c.pause_after_failures,
    # Due instants get their rows first: the dispatcher then pauses the job.
    or_(jobs.c.next_run_at.is_(None), jobs.c.next_run_at > bindparam("at")),
)
_count_failure = (
    update(jobs)
    .where(jobs.c.id == bindparam("of_job"))
    .values(
        failures_in_a_row=jobs.c.failures_in_a_row + 1,
        status=case((_is_to_be_paused, literal(JobStatus.PAUSED, jobs.c.status.type)), else_=jobs.c.status),
        next_run_at=case((_is_to_be_paused, null()), else_=jobs.c.next_run_at),
    )
    .returning(jobs.c.status, jobs.c.pause_after_failures, jobs.c.failures_in_a_row)
)
_give_pause_reason = update(jobs).where(jobs.c.id == bindparam("of_job"))
_ends_of_pauses = (
    select(jobs)
    .where(jobs.c.paused_until <= bindparam("at"))
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)


async def count_outcome(connection: AnyConnection, job_id: int, status: RunStatus, now: datetime) -> None:
    """Count a failed run of a job, and pause the job after `pause_after_failures` of them. A success ends the count."""
    if status is RunStatus.SUCCESS:
        await connection.execute(_reset_failures, {"of_job": job_id, "failures_in_a_row": 0})
    if status is not RunStatus.FAILED:
        return
    job = (await connection.execute(_count_failure, {"of_job": job_id, "at": now})).one()
    if job.status is JobStatus.PAUSED and job.failures_in_a_row == job.pause_after_failures:
        reason = failures_text(job.failures_in_a_row)
        await connection.execute(_give_pause_reason, {"of_job": job_id, "pause_reason": reason})


async def ends_of_pauses(connection: AsyncConnection, now: datetime, limit: int) -> list[Job]:
    """Lock and return the jobs whose pause has ended."""
    return [Job(**row) for row in (await connection.execute(_ends_of_pauses, {"at": now, "limit": limit})).mappings()]


async def end_pause(connection: AsyncConnection, job: Job) -> None:
    """Store a locked job as it is after its pause. Its version stays, because nobody has edited it."""
    names = ("status", "next_run_at", "pause_reason", "paused_until", "failures_in_a_row")
    await connection.execute(
        update(jobs).where(jobs.c.id == job.id).values({name: getattr(job, name) for name in names})
    )
