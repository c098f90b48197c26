"""Downtimes of two hours and of thirty days: exact counts for each misfire policy and each kind of schedule."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from testkit.callers import ADMIN
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.features.ledger.service import LedgerService
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs, runs

STEP = timedelta(minutes=10)
DOWNTIMES = {"two hours": timedelta(hours=2), "thirty days": timedelta(days=30)}
CAUGHT_UP = 5
KINDS = {"cron": "*/10 * * * *", "interval": "10m", "instant": "2026-01-15T12:10:00Z"}
# How many of the missed instants of each kind run, by policy.
RUN = {
    "fire_once": {"cron": 1, "interval": 1, "instant": 1},
    "fire_all": {"cron": CAUGHT_UP, "interval": CAUGHT_UP, "instant": 1},
    "skip": {"cron": 0, "interval": 0, "instant": 0},
}


@pytest.mark.parametrize("downtime", DOWNTIMES)
async def test_downtime_has_exact_counts(database: Database, clock: FakeClock, downtime: str) -> None:
    policies = {"catchup_limit": CAUGHT_UP, "overlap_policy": "queue"}
    stored = {
        (kind, policy): await add_job(
            database, schedule_expr=KINDS[kind], misfire_policy=policy, next_run_at=NOON + STEP, **policies
        )
        for kind in KINDS
        for policy in RUN
    }
    # The newest instant is 5 minutes late, so all of them are misfired.
    clock.at = NOON + DOWNTIMES[downtime] + STEP / 2
    await Dispatcher(database, RecordingBroker(), clock, tick_seconds=1).tick()
    owed = DOWNTIMES[downtime] // STEP
    for (kind, policy), job in stored.items():
        due, fired = 1 if kind == "instant" else owed, RUN[policy][kind]
        statuses, next_run_at = await result_of(database, job.id)
        assert statuses == Counter(queued=fired, missed=due - fired), (kind, policy)
        assert next_run_at == (None if kind == "instant" else NOON + DOWNTIMES[downtime] + STEP)
    checked = await LedgerService(database, clock, retention_days=60).check(ADMIN, None, NOON)
    assert (checked.owed, checked.differences) == (3 * (2 * owed + 1), ())


async def result_of(database: Database, job_id: int) -> tuple[Counter[str], datetime | None]:
    """Return how many instants of a job became what, and its next one."""
    async with database.read() as connection:
        rows = await connection.execute(select(runs.c.status, runs.c.missed_count).where(runs.c.job_id == job_id))
        statuses: Counter[str] = Counter()
        for status, count in rows:
            statuses[status.value] += count or 1
        return statuses, await connection.scalar(select(jobs.c.next_run_at).where(jobs.c.id == job_id))
