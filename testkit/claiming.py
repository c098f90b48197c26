"""Claims for tests."""

from __future__ import annotations

from datetime import datetime

from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.storage import claims, runs
from scheduler_service.storage.claims import Claimed, SlotTakenError
from scheduler_service.storage.database import Database
from scheduler_service.storage.direct import AnyConnection
from testkit.databases import NOON, add_job, queued_row


async def claim_run(
    connection: AnyConnection, run_id: int, worker_id: str, now: datetime, routing: Routing = EVERYTHING
) -> Claimed | None:
    """Claim a run for a worker, or return None if it cannot be claimed."""
    try:
        claimed = await claims.claim(connection, worker_id, now, 1, routing, run_id=run_id)
    except SlotTakenError:
        return None
    return claimed[0] if claimed else None


async def claim_all(
    connection: AnyConnection, worker_id: str, now: datetime, routing: Routing = EVERYTHING
) -> list[Claimed]:
    """Claim whatever the worker may claim at once, in the order in which it would get it."""
    return await claims.claim(connection, worker_id, now, 100, routing)


async def claim_new(database: Database, worker_id: str) -> Claimed:
    """Claim a run of a new job for a worker, at noon."""
    job = await add_job(database)
    async with database.write() as connection:
        run = await runs.add(connection, queued_row(job))
        claimed = await claim_run(connection, run.id, worker_id, NOON)
    assert claimed is not None
    return claimed
