"""Maintains the totals behind the metrics, and the figures of each hour.

Theory of operation. `MetricsFold` moves events into the totals, so that a scrape need not count events since the first
start. Every dispatcher runs it; the lock on the cursor lets one of them work at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler_service.storage import events, hour_totals, totals
from scheduler_service.storage.database import Database
from scheduler_service.storage.rebase import rebase

FOLD_SECONDS = 1.0
NOTE_SECONDS = 1.0


class MetricsFold:
    """Moves events into the totals and the figures of each hour."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fold(self) -> float:
        """Add events since the last fold to the totals, and return the seconds until the next fold.

        Also detect a database that was replaced by a restored one during the life of this process.
        """
        await rebase(self._database)
        async with self._database.read() as connection:
            is_behind = await events.is_behind(connection, events.TOTALS, events.HOURS)
        if is_behind:
            async with self._database.write() as connection:
                await totals.fold(connection)
            async with self._database.write() as connection:
                await hour_totals.fold(connection)
        return FOLD_SECONDS


class DropCounter:
    """Adds dropped messages to the totals, so that every process reports the same metric."""

    def __init__(self, database: Database, take: Callable[[], int]) -> None:
        """Count the result of `take`: the number of messages dropped since its last call."""
        self._database = database
        self._take = take
        self._waiting = 0

    async def fold(self) -> float:
        """Add the dropped messages to the totals, and return the seconds until the next call."""
        self._waiting += self._take()
        if self._waiting:
            async with self._database.write() as connection:
                await totals.add(connection, totals.MESSAGE_DROPPED, self._waiting)
            self._waiting = 0
        return NOTE_SECONDS
