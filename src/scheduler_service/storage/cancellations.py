"""Cancellations: ends of runs that wait, and requests to stop runs that run.

Each is one guarded UPDATE, as in `transitions`. False or None means that the run was no longer in such a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, literal, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.storage import jobs, pauses
from scheduler_service.storage.tables import WAITING, runs, with_status
from scheduler_service.storage.types import EnumText, UtcInstant


async def cancel_waiting(connection: AsyncConnection, run_id: int, reason: Reason, now: datetime) -> Run | None:
    """Cancel a waiting run: queued or retrying → cancelled. Return None if it is not waiting."""
    values = {"status": RunStatus.CANCELLED, "reason": reason, "cancel_requested_at": now, "finished_at": now}
    guard = and_(runs.c.id == run_id, with_status(*WAITING))
    row = (await connection.execute(update(runs).where(guard).values(values).returning(runs))).mappings().one_or_none()
    return None if row is None else Run(**row)


async def reject_waiting(connection: AsyncConnection, job_id: int, message: str, now: datetime) -> int:
    """Fail the waiting runs of a job, which no worker may begin any more: queued or retrying → failed(rejected).

    Return their number.  1. Lock the job.  2. Move the runs that still wait.  3. Note the outcome with the job.
    """
    await jobs.lock(connection, job_id)
    guard = and_(runs.c.job_id == job_id, with_status(*WAITING))
    values = {"status": RunStatus.FAILED, "reason": Reason.REJECTED, "message": message, "finished_at": now}
    rejected = (await connection.execute(update(runs).where(guard).values(values))).rowcount
    if rejected:
        await jobs.note_last_run(connection, job_id, now, RunStatus.FAILED)
        await pauses.count_outcome(connection, job_id, RunStatus.FAILED, now)
    return rejected


async def request_cancel(connection: AsyncConnection, run_id: int, reason: Reason, now: datetime) -> Run | None:
    """Request that the worker stops a running run. A second request changes nothing."""
    values = {
        "cancel_requested_at": func.coalesce(runs.c.cancel_requested_at, literal(now, UtcInstant())),
        "cancel_reason": func.coalesce(runs.c.cancel_reason, literal(reason, EnumText(Reason))),
    }
    guard = and_(runs.c.id == run_id, with_status(RunStatus.RUNNING))
    row = (await connection.execute(update(runs).where(guard).values(values).returning(runs))).mappings().one_or_none()
    return None if row is None else Run(**row)


async def cancel_all(connection: AsyncConnection, job_ids: Sequence[int], reason: Reason, now: datetime) -> None:
    """Cancel the waiting runs of jobs, and request a stop of the running ones.

    An overlap leaves those of a backfill alone.
    """
    of_jobs: ColumnElement[bool] = runs.c.job_id.in_(job_ids)
    if reason is Reason.OVERLAP:
        of_jobs = and_(of_jobs, runs.c.trigger != Trigger.BACKFILL)
    waiting = and_(of_jobs, with_status(*WAITING))
    ended = {"status": RunStatus.CANCELLED, "reason": reason, "cancel_requested_at": now, "finished_at": now}
    await connection.execute(update(runs).where(waiting).values(ended))
    running = and_(of_jobs, with_status(RunStatus.RUNNING), runs.c.cancel_requested_at.is_(None))
    await connection.execute(update(runs).where(running).values(cancel_requested_at=now, cancel_reason=reason))
