"""Checks the ledger of jobs."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.features.ledger import store
from scheduler_service.features.ledger.records import Difference, LedgerCheck
from scheduler_service.features.ledger.rules import compare, end_of
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

BATCH = 200
MAX_DIFFERENCES = 1000
DEFAULT_SPAN = timedelta(days=1)


class LedgerService:
    """Recomputes what is owed, and compares it with the rows."""

    def __init__(self, database: Database, clock: Clock, *, retention_days: float) -> None:
        """Check no instants whose rows the retention may have deleted."""
        self._database = database
        self._clock = clock
        self._kept = timedelta(days=retention_days)

    async def check(self, caller: Caller, job_id: int | None, since: datetime | None) -> LedgerCheck:
        """Check one job, or all jobs that the caller may reach, from `since` on; by default for one day."""
        caller.require(Scope.READ)
        now = self._clock.now()
        begin = max(now - DEFAULT_SPAN if since is None else since, now - self._kept)
        count, owed, after = 0, 0, 0
        differences: list[Difference] = []
        while len(differences) <= MAX_DIFFERENCES:
            async with self._database.read() as connection:
                ids = await store.job_ids(connection, caller.bound, job_id, after, BATCH)
            for checked in ids:
                found_owed, found = await self._check_job(checked, begin, now)
                owed += found_owed
                differences += found
            count += len(ids)
            if len(ids) < BATCH:
                break
            after = ids[-1]
        listed = tuple(differences[:MAX_DIFFERENCES])
        return LedgerCheck(begin, count, owed, listed, len(differences) > MAX_DIFFERENCES)

    async def _check_job(self, job_id: int, since: datetime, now: datetime) -> tuple[int, list[Difference]]:
        owed = 0
        differences: list[Difference] = []
        async with self._database.snapshot() as connection:
            known = await store.spans_of(connection, job_id, since)
            spans = [span for span in known if not span.is_empty]
            for place, span in enumerate(spans):
                begin = max(since, span.begins_at)
                following = spans[place + 1].begins_at if place + 1 < len(spans) else None
                rows = await store.rows_of(connection, job_id, begin, following)
                # A range that began before the window is not compared.
                inside = [row for row in rows if row.first >= begin]
                straddling = next((row for row in rows if row.first < begin), None)
                if straddling is not None:
                    begin = straddling.last + timedelta.resolution
                end = end_of(span, inside, now, is_last=span is known[-1])
                counted, found = await asyncio.to_thread(compare, span, inside, begin, end)
                owed += counted
                differences += found
        return owed, differences
