"""Deletes history after its retention time, in small steps."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage import dispatchers, draft_runs, events, idempotency, job_versions, jobs, runs, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

Prune = Callable[[AsyncConnection, datetime, int], Awaitable[int]]
"""Deletes at most so many rows that ended before an instant, and returns how many it deleted."""

# A transaction holds up all other writers of SQLite. On PostgreSQL it locks only old rows, which nobody changes.
SQLITE_BATCH_SECONDS, POSTGRES_BATCH_SECONDS = 0.025, 0.25
FIRST_BATCH, SMALLEST_BATCH, LARGEST_BATCH = 500, 50, 10_000
REST_SECONDS = 600.0
KEY_LIFE = timedelta(days=1)
TEST_RUN_LIFE = timedelta(hours=1)
DEAD_WORKER_LIFE = timedelta(hours=1)
DEAD_DISPATCHER_LIFE = timedelta(hours=1)


class Pruner:
    """Deletes rows that are older than the retention time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        retention_days: int,
        event_retention_hours: float,
        prunes: Sequence[Prune] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep runs for `retention_days` after their end, and events for `event_retention_hours`."""
        self._database = database
        self._clock = clock
        self._retention = timedelta(days=retention_days)
        self._prunes = prunes
        self._monotonic = monotonic
        self._limit = FIRST_BATCH
        self._batch_seconds = SQLITE_BATCH_SECONDS if database.is_sqlite else POSTGRES_BATCH_SECONDS
        self._event_retention = timedelta(hours=event_retention_hours)

    async def prune(self) -> float:
        """Delete old rows in short transactions, and return the seconds until the next call."""
        now = self._clock.now()
        await self._in_batches(draft_runs.prune, now - TEST_RUN_LIFE)
        await self._in_batches(runs.prune, now - self._retention)
        await self._in_batches(jobs.prune, now - self._retention)
        await self._in_batches(job_versions.prune, now - self._retention)
        await self._in_batches(events.prune, now - self._event_retention)
        for prune in self._prunes:
            await self._in_batches(prune, now - self._retention)
        async with self._database.write() as connection:
            await idempotency.prune(connection, now - KEY_LIFE)
            await workers.prune(connection, now - DEAD_WORKER_LIFE)
            await dispatchers.prune(connection, now - DEAD_DISPATCHER_LIFE)
        return REST_SECONDS

    async def _in_batches(self, prune: Prune, before: datetime) -> None:
        """Delete in transactions of about the same duration, however fast the database is."""
        is_over = False
        while not is_over:
            limit = self._limit
            began = self._monotonic()
            async with self._database.write() as connection:
                removed = await prune(connection, before, limit)
            is_over = removed < limit
            if self._monotonic() - began > self._batch_seconds:
                self._limit = max(SMALLEST_BATCH, limit // 2)
            elif not is_over:
                self._limit = min(LARGEST_BATCH, limit * 2)
