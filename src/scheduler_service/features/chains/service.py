"""Chains of runs, as callers may see them."""

from __future__ import annotations

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.features.chains import store
from scheduler_service.features.chains.records import ChainLink
from scheduler_service.services.run_rows import existing
from scheduler_service.storage.database import Database

MAX_LINKS = 1000


class ChainService:
    """Reads chains. All jobs of a chain have the same owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_run(self, caller: Caller, run_id: int) -> list[ChainLink]:
        """Return the whole chain that a run belongs to, up to `MAX_LINKS` runs, the first run first.

        Raise `NotFoundError` for an unknown run.
        """
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            await existing(connection, caller, run_id)
            first = await store.first_of(connection, run_id)
            return await store.links_from(connection, first, MAX_LINKS)
