"""Steps of transactions that read one run."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Run
from scheduler_service.errors import NotFoundError
from scheduler_service.storage import runs


async def existing(connection: AsyncConnection, caller: Caller, run_id: int) -> Run:
    """Return a run that the caller may reach. Raise `NotFoundError` if there is none."""
    run = await runs.find(connection, run_id, owner_id=caller.bound)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}")
    return run
