"""Taking back what a worker did not end: running → queued, for another to begin anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, false, func, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import Reason, RunStatus, WorkerState
from scheduler_service.storage import events
from scheduler_service.storage.leases import HELD, Lease
from scheduler_service.storage.tables import attempts, runs, with_status, workers
from scheduler_service.storage.types import EnumText, UtcInstant

MAX_RESCUES = 3


async def requeue_after_fault(connection: AsyncConnection, lease: Lease, message: str, now: datetime) -> bool:
    """Return up an attempt that the host, not the user's code, cut short, by the owner of the lease.

    After MAX_RESCUES the run is failed(worker_lost) instead, since it may be what kills its workers; and a run that is
    to be cancelled is cancelled.
    """
    return await _requeue(connection, HELD, lease.binds, message, now) > 0


async def requeue_on_shutdown(connection: AsyncConnection, lease: Lease, message: str, now: datetime) -> bool:
    """Return up an attempt because this worker is being stopped; that may happen to a run any number of times."""
    return await _requeue(connection, HELD, lease.binds, message, now, is_rescue=False) > 0


async def put_back(
    connection: AsyncConnection, lease: Lease, message: str, available_at: datetime, now: datetime
) -> bool:
    """Undo a claim after which no code has run, by the owner of the lease: running → queued, as if never claimed.

    1. Move the run if the lease still holds; it waits until `available_at`, and `message` says why. If somebody wants
       it cancelled, it is cancelled.
    2. Give the attempt's number free, and note the fault.
    """
    cancelled = runs.c.cancel_requested_at.is_not(None)
    earlier = and_(attempts.c.run_id == runs.c.id, attempts.c.attempt < runs.c.attempt)
    statement = (
        update(runs)
        .where(HELD)
        .values(
            status=case((cancelled, _status(RunStatus.CANCELLED)), else_=_status(RunStatus.QUEUED)),
            reason=case((cancelled, runs.c.cancel_reason), else_=null()),
            message=message,
            finished_at=case((cancelled, literal(now, UtcInstant())), else_=null()),
            started_at=select(func.max(attempts.c.started_at)).where(earlier).scalar_subquery(),
            lateness_seconds=case((runs.c.attempt == 1, null()), else_=runs.c.lateness_seconds),
            attempt=runs.c.attempt - 1,
            fault_count=runs.c.fault_count + 1,
            available_at=available_at,
            notified_at=None,
            place=None,
        )
        .returning(runs.c.job_id)
    )
    job_id = (await connection.execute(statement, lease.binds)).scalar_one_or_none()
    if job_id is None:
        return False
    begun = and_(attempts.c.run_id == lease.run_id, attempts.c.attempt == lease.attempt)
    await connection.execute(delete(attempts).where(begun))
    await events.note_faulted(connection, lease, job_id, now)
    return True


async def rescue_from(connection: AsyncConnection, worker_id: str, now: datetime) -> int:
    """Take all that a dead worker ran from it, as `requeue_after_fault` does; returns how many runs that were."""
    dead = select(workers.c.id).where(workers.c.id == worker_id, workers.c.state == WorkerState.DEAD).exists()
    lost = and_(runs.c.worker_id == worker_id, with_status(RunStatus.RUNNING), dead)
    return await _requeue(connection, lost, {}, "the worker that ran it was lost", now)


async def _requeue(
    connection: AsyncConnection,
    chosen: ColumnElement[bool],
    binds: Mapping[str, Any],
    message: str,
    now: datetime,
    *,
    is_rescue: bool = True,
) -> int:
    cancelled = runs.c.cancel_requested_at.is_not(None)
    spent = runs.c.rescue_count >= MAX_RESCUES if is_rescue else false()
    ends = or_(cancelled, spent)
    statement = (
        update(runs)
        .where(chosen)
        .values(
            status=case(
                (cancelled, _status(RunStatus.CANCELLED)),
                (spent, _status(RunStatus.FAILED)),
                else_=_status(RunStatus.QUEUED),
            ),
            reason=case(
                (cancelled, runs.c.cancel_reason),
                (spent, literal(Reason.WORKER_LOST, EnumText(Reason))),
                else_=null(),
            ),
            message=case((ends, message), else_=null()),
            finished_at=case((ends, literal(now, UtcInstant())), else_=null()),
            rescue_count=case((ends, runs.c.rescue_count), else_=runs.c.rescue_count + int(is_rescue)),
            available_at=now,
            notified_at=None,
            place=None,
        )
        .returning(runs.c.id, runs.c.attempt)
    )
    moved = (await connection.execute(statement, binds)).all()
    lost = {"status": RunStatus.FAILED, "reason": Reason.WORKER_LOST, "message": message, "finished_at": now}
    for run_id, attempt in moved:
        mine = and_(attempts.c.run_id == run_id, attempts.c.attempt == attempt)
        await connection.execute(update(attempts).where(mine).values(lost))
    return len(moved)


def _status(status: RunStatus) -> ColumnElement[RunStatus]:
    return literal(status, EnumText(RunStatus))
