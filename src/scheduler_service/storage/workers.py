"""The workers table: registration, heartbeats, death.

Theory of operation. A worker increments `beats` regularly. Observers declare it dead if the value does not change for a
time on their own monotonic clock. A dead worker's `beat` returns `DEAD`, which tells it to stop its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, case, delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import WorkerState
from scheduler_service.storage.worker_tables import workers

_beat = (
    update(workers)
    .where(workers.c.id == bindparam("of_worker"), workers.c.state != WorkerState.DEAD)
    .values(
        beats=workers.c.beats + 1,
        state=case(
            (workers.c.drain_requested_at.is_not(None), literal(WorkerState.DRAINING, workers.c.state.type)),
            else_=bindparam("own_state", type_=workers.c.state.type),
        ),
    )
    .returning(workers.c.state)
)
_living = select(workers).where(workers.c.state != WorkerState.DEAD).order_by(workers.c.id)


async def register(  # noqa: PLR0913 (the columns of a worker)
    connection: AsyncConnection,
    worker_id: str,
    *,
    host: str,
    pid: int,
    slots: int,
    sandbox_level: str | None = None,
    unfit_reason: str | None = None,
    grants: Sequence[str] = (),
    tags: Sequence[str] = (),
    monitor_name: str | None = None,
    now: datetime,
) -> None:
    """Store a worker. It may claim runs after the commit."""
    values = {"id": worker_id, "host": host, "pid": pid, "slots": slots, "sandbox_level": sandbox_level}
    values |= {"unfit_reason": unfit_reason, "grants": list(grants), "tags": list(tags), "monitor_name": monitor_name}
    begun = {"state": WorkerState.ALIVE, "busy": 0, "beats": 0, "started_at": now, "seen_at": now}
    await connection.execute(insert(workers).values(**values, **begun))


async def beat(
    connection: AsyncConnection,
    worker_id: str,
    *,
    state: WorkerState,
    busy: int,
    now: datetime,
    sandbox_level: str | None = None,
    unfit_reason: str | None = None,
) -> WorkerState:
    """Record that a worker is alive. Return the state that it must take.

    `DEAD`: it was declared dead and has lost its runs. `DRAINING`: a user asked it to claim no more runs.
    """
    values = {"of_worker": worker_id, "own_state": state, "busy": busy, "seen_at": now}
    values |= {"sandbox_level": sandbox_level, "unfit_reason": unfit_reason}
    stored: WorkerState | None = (await connection.execute(_beat, values)).scalar_one_or_none()
    return WorkerState.DEAD if stored is None else stored


async def living(connection: AsyncConnection) -> list[Worker]:
    """Return the workers that are not declared dead."""
    return [Worker(**row) for row in (await connection.execute(_living)).mappings()]


async def unfit(connection: AsyncConnection) -> list[Worker]:
    """Return the living workers that claim no runs because of a fault."""
    query = _living.where(workers.c.unfit_reason.is_not(None))
    return [Worker(**row) for row in (await connection.execute(query)).mappings()]


async def all_workers(connection: AsyncConnection) -> list[Worker]:
    """Return all workers, including recently dead ones."""
    query = select(workers).order_by(workers.c.id)
    return [Worker(**row) for row in (await connection.execute(query)).mappings()]


async def mark_dead(connection: AsyncConnection, worker: Worker) -> bool:
    """Mark a worker as dead unless its heartbeat has changed since `worker` was read."""
    statement = (
        update(workers)
        .where(workers.c.id == worker.id, workers.c.beats == worker.beats, workers.c.state != WorkerState.DEAD)
        .values(state=WorkerState.DEAD, busy=0)
    )
    return (await connection.execute(statement)).rowcount == 1


async def retire(connection: AsyncConnection, worker_id: str) -> None:
    """Mark a worker as dead that shuts down. The caller requeues runs that it still holds."""
    statement = update(workers).where(workers.c.id == worker_id).values(state=WorkerState.DEAD, busy=0)
    await connection.execute(statement)


async def forget(connection: AsyncConnection, worker_id: str) -> None:
    """Delete a retired worker."""
    await connection.execute(delete(workers).where(workers.c.id == worker_id, workers.c.state == WorkerState.DEAD))


async def prune(connection: AsyncConnection, before: datetime) -> int:
    """Delete dead workers that were last seen before an instant. Return their number."""
    gone = (workers.c.state == WorkerState.DEAD) & (workers.c.seen_at < before)
    return (await connection.execute(delete(workers).where(gone))).rowcount
