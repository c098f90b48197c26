"""Checks the ledger of jobs."""

from __future__ import annotations

from datetime import datetime, timedelta

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.features.ledger import store
from scheduler_service.features.ledger.comparison import check_job
from scheduler_service.features.ledger.records import Difference, LedgerCheck
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
                async with self._database.snapshot() as snapshot:
                    spans = await store.spans_of(snapshot, checked, begin)
                    found_owed, found = await check_job(snapshot, spans, begin, now)
                owed += found_owed
                differences += found
            count += len(ids)
            if len(ids) < BATCH:
                break
            after = ids[-1]
        listed = tuple(differences[:MAX_DIFFERENCES])
        return LedgerCheck(begin, count, owed, listed, len(differences) > MAX_DIFFERENCES)
