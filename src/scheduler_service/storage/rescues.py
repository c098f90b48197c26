"""Requeues runs whose worker did not finish them: running → queued.

Theory of operation. Four callers end an attempt without an outcome. `requeue_after_fault`: the host failed.
`requeue_on_shutdown`: the worker shuts down. `undo_claim`: no code has run. `rescue_from`: the worker is dead. A run
that faults or dead workers interrupt is rescued `MAX_RESCUES` times. The next such interruption fails it with
`worker_lost`, because it may be the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, literal, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.rescue import Rescue, after_loss, after_shutdown
from scheduler_service.domain.run_state import Reason, RunStatus, WorkerState
from scheduler_service.storage import events, pauses
from scheduler_service.storage.leases import HELD, Lease
from scheduler_service.storage.tables import attempts, jobs, runs, with_status
from scheduler_service.storage.types import EnumText, UtcInstant
from scheduler_service.storage.worker_tables import workers

LOST_MESSAGE = "the worker that ran it was lost"
_LOST = {"status": RunStatus.FAILED, "reason": Reason.WORKER_LOST}


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """An attempt that ended without an outcome."""

    run_id: int
    attempt: int
    job_name: str


async def requeue_after_fault(connection: AsyncConnection, lease: Lease, message: str, now: datetime) -> bool:
    """Requeue a run whose attempt the host interrupted. Return False if the lease is lost.

    A run that has already been rescued MAX_RESCUES times fails with `worker_lost`, because it may be the cause. A run
    with a requested cancel is cancelled.
    """
    return bool(await _requeue(connection, HELD, lease.binds, after_loss, message, now))


async def requeue_on_shutdown(connection: AsyncConnection, lease: Lease, message: str, now: datetime) -> bool:
    """Requeue a run because this worker shuts down, any number of times. Return False if the lease is lost."""
    return bool(await _requeue(connection, HELD, lease.binds, after_shutdown, message, now))


async def undo_claim(
    connection: AsyncConnection, lease: Lease, message: str, available_at: datetime, now: datetime
) -> bool:
    """Undo a claim after which no code has run: running → queued. Return False if the lease is lost.

    1. Move the run, which waits until `available_at`; `message` gives the reason. Cancel it if a cancel was requested.
    2. Release the attempt's number, and record the fault.
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
            concurrency_slot=None,
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


async def rescue_from(connection: AsyncConnection, worker_id: str, now: datetime) -> list[LostAttempt]:
    """Requeue all runs of a dead worker, as `requeue_after_fault` does. Return the attempts that ended."""
    dead = select(workers.c.id).where(workers.c.id == worker_id, workers.c.state == WorkerState.DEAD).exists()
    lost = and_(runs.c.worker_id == worker_id, with_status(RunStatus.RUNNING), dead)
    return await _requeue(connection, lost, {}, after_loss, LOST_MESSAGE, now)


_Rule = Callable[[int, Reason | None], Rescue]


async def _requeue(
    connection: AsyncConnection,
    chosen: ColumnElement[bool],
    binds: Mapping[str, Any],
    rule: _Rule,
    message: str,
    now: datetime,
) -> list[LostAttempt]:
    """Move the chosen runs as a rule of `domain/rescue` says, and end their attempts, which are returned.

    The runs are locked until the commit, so nothing can change between the decision and the move.
    """
    job_name = select(jobs.c.name).where(jobs.c.id == runs.c.job_id).scalar_subquery().label("job_name")
    columns = (runs.c.id, runs.c.job_id, job_name, runs.c.attempt, runs.c.rescue_count, runs.c.cancel_reason)
    interrupted = select(*columns).where(chosen).order_by(runs.c.id).with_for_update(key_share=True)
    found = (await connection.execute(interrupted, binds)).all()
    for run in found:
        rescue = rule(run.rescue_count, run.cancel_reason)
        await connection.execute(update(runs).where(runs.c.id == run.id).values(_moved(rescue, message, now)))
        ended = update(attempts).where(attempts.c.run_id == run.id, attempts.c.attempt == run.attempt)
        await connection.execute(ended.values(**_LOST, message=message, finished_at=now))
        await pauses.count_outcome(connection, run.job_id, rescue.status, now)
    return [LostAttempt(run.id, run.attempt, run.job_name) for run in found]


def _moved(rescue: Rescue, message: str, now: datetime) -> dict[str, Any]:
    return {
        "status": rescue.status,
        "reason": rescue.reason,
        "message": message if rescue.is_final else None,
        "finished_at": now if rescue.is_final else None,
        "rescue_count": rescue.rescue_count,
        "available_at": now,
        "notified_at": None,
        "concurrency_slot": None,
    }


def _status(status: RunStatus) -> ColumnElement[RunStatus]:
    return literal(status, EnumText(RunStatus))
