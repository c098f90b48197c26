"""Shows the result of the last regular check: to callers, and as metrics."""

from __future__ import annotations

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.features.ledger import check_store
from scheduler_service.features.ledger.records import CheckReport
from scheduler_service.storage.database import Database

MAX_FINDINGS = 1000


class LedgerReportService:
    """Reads the last regular check."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, caller: Caller) -> CheckReport | None:
        """Return what the last regular check found of the jobs that the caller may reach, or None if there was none."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            check = await check_store.last_ended(connection)
            if check is None or check.ended_at is None:
                return None
            found = await check_store.findings_of(connection, check.id, caller.bound, MAX_FINDINGS)
        return CheckReport(check.ended_at, tuple(found))


async def metrics(snapshot: AsyncConnection) -> list[Metric]:
    """Return the metrics of the last regular check; both are 0 if there was none."""
    check = await check_store.last_ended(snapshot)
    text = "Instants that the last regular check of the ledger found unaccounted for, or with a row and not owed."
    unaccounted = GaugeMetricFamily(
        "scheduler_ledger_unaccounted_instants", text, value=0 if check is None else check.unaccounted
    )
    ended_at = None if check is None else check.ended_at
    text = "When the last regular check of the ledger ended; 0: not yet."
    checked = GaugeMetricFamily(
        "scheduler_ledger_checked_timestamp_seconds", text, value=0 if ended_at is None else ended_at.timestamp()
    )
    return [unaccounted, checked]
