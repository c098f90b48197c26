"""Claims for tests."""

from __future__ import annotations

from datetime import datetime

from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.storage import claims
from scheduler_service.storage.claims import Claimed, SlotTakenError
from scheduler_service.storage.direct import AnyConnection


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
