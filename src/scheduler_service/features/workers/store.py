"""Reads what workers execute, and stores the request to drain one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import RunStatus, WorkerState
from scheduler_service.features.workers.records import WorkerRun
from scheduler_service.storage.tables import jobs, runs, with_status
from scheduler_service.storage.worker_tables import workers


async def running(connection: AsyncConnection, owner_id: str | None) -> dict[str, list[WorkerRun]]:
    """Return the runs that each worker executes, in the order of their starts. None: of every owner."""
    query = (
        select(runs.c.worker_id, runs.c.id, runs.c.job_id, jobs.c.name, runs.c.attempt, runs.c.started_at)
        .join(jobs, jobs.c.id == runs.c.job_id)
        .where(with_status(RunStatus.RUNNING))
        .order_by(runs.c.started_at, runs.c.id)
    )
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    found: dict[str, list[WorkerRun]] = {}
    for worker_id, *run in await connection.execute(query):
        found.setdefault(worker_id, []).append(WorkerRun(*run))
    return found


async def request_drain(connection: AsyncConnection, worker_id: str, now: datetime) -> bool:
    """Store the request that a worker takes no more runs. Return False if there is no such worker, or it is dead."""
    statement = (
        update(workers)
        .where(workers.c.id == worker_id, workers.c.state != WorkerState.DEAD)
        .values(
            drain_requested_at=func.coalesce(
                workers.c.drain_requested_at, literal(now, workers.c.drain_requested_at.type)
            )
        )
    )
    return (await connection.execute(statement)).rowcount == 1
