"""Observers of what happened. Each has its place in the stream of events; of several processes one moves it on."""

from __future__ import annotations

from scheduler_service.storage import events, totals
from scheduler_service.storage.database import Database

FOLD_SECONDS = 1.0


class Counter:
    """Counts what happened, so that counting does not begin at the first start again each time that one asks."""

    def __init__(self, database: Database) -> None:
        """Count in this database."""
        self._database = database

    async def fold(self) -> float:
        """Add what came since the last time to the totals, and give the seconds until the next time."""
        async with self._database.read() as connection:
            is_behind = await events.is_behind(connection, events.TOTALS)
        if is_behind:
            async with self._database.write() as connection:
                await totals.fold(connection)
        return FOLD_SECONDS
