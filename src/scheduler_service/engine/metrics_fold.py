"""Observers of what happened. Each has a cursor in the stream of events, which one of several processes moves on."""

from __future__ import annotations

from collections.abc import Callable

from scheduler_service.storage import events, totals
from scheduler_service.storage.database import Database
from scheduler_service.storage.rebase import rebase

FOLD_SECONDS = 1.0
NOTE_SECONDS = 1.0


class MetricsFold:
    """Counts what happened, so that counting does not begin at the first start again each time that one asks."""

    def __init__(self, database: Database) -> None:
        """Count in this database."""
        self._database = database

    async def fold(self) -> float:
        """Add what came since the last time to the totals, and return the seconds until the next time.

        A database may be replaced by a restored one while this process runs: that is noticed here.
        """
        await rebase(self._database)
        async with self._database.read() as connection:
            is_behind = await events.is_behind(connection, events.TOTALS)
        if is_behind:
            async with self._database.write() as connection:
                await totals.fold(connection)
        return FOLD_SECONDS


class DropCounter:
    """Counts messages that this process dropped in the totals of all: a metric is the same from every process."""

    def __init__(self, database: Database, take: Callable[[], int]) -> None:
        """Count what `take` returns: how many messages were dropped since the last call."""
        self._database = database
        self._take = take
        self._waiting = 0

    async def note(self) -> float:
        """Add what was dropped since the last time, and return the seconds until the next time."""
        self._waiting += self._take()
        if self._waiting:
            async with self._database.write() as connection:
                await totals.add(connection, totals.MESSAGE_DROPPED, self._waiting)
            self._waiting = 0
        return NOTE_SECONDS
