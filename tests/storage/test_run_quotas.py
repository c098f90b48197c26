"""Due runs above the quota of their owner are skipped, and the ledger says so."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import insert, select
from testkit.databases import NOON, add_job

from scheduler_service.domain.quotas import Quotas
from scheduler_service.storage import quotas, totals
from scheduler_service.storage.database import Database
from scheduler_service.storage.due_fires import fire_due
from scheduler_service.storage.quota_tables import owner_quotas
from scheduler_service.storage.tables import jobs, runs

MINUTE = timedelta(minutes=1)
LIMITED, FREE = "limited", "free"


async def give(database: Database, owner_id: str, runs_per_minute: int) -> None:
    async with database.write() as connection:
        given = {"owner_id": owner_id, "runs_per_minute": runs_per_minute, "updated_at": NOON}
        await connection.execute(insert(owner_quotas), given)


async def fire(
    database: Database, minutes: int = 0, defaults: Quotas | None = None
) -> Counter[tuple[str, str, str | None]]:
    """Fire what is due. Return the rows of that minute by owner, status and reason."""
    now = NOON + minutes * MINUTE
    async with database.write() as connection:
        await fire_due(connection, now, 2000, max_notices=1000, quotas=defaults or Quotas())
    query = select(jobs.c.owner_id, runs.c.status, runs.c.reason).join(jobs, jobs.c.id == runs.c.job_id)
    async with database.read() as connection:
        rows = await connection.execute(query.where(runs.c.scheduled_for == now))
        return Counter((row.owner_id, str(row.status), row.reason and str(row.reason)) for row in rows)


async def test_due_runs_above_the_quota_are_skipped(database: Database) -> None:
    await give(database, LIMITED, 2)
    for owner_id in (LIMITED, FREE):
        for _ in range(3):
            await add_job(database, owner_id=owner_id)
    expected = {(LIMITED, "queued", None): 2, (LIMITED, "skipped", "quota"): 1, (FREE, "queued", None): 3}

    assert await fire(database) == expected
    assert await fire(database, minutes=1) == expected
    async with database.read() as connection:
        message = await connection.scalar(select(runs.c.message).where(runs.c.message.is_not(None)).limit(1))
    assert "2 of 2 runs" in (message or "")


async def test_skipped_runs_are_counted_by_metrics(database: Database) -> None:
    await give(database, LIMITED, 1)
    for _ in range(3):
        await add_job(database, owner_id=LIMITED)
    await fire(database)

    async with database.snapshot() as snapshot:
        counted = Counter({total.change: total.count for total in await totals.read(snapshot)})
    assert counted["skipped"] == 2


async def test_default_quota_holds_for_owners_without_others(database: Database) -> None:
    await give(database, FREE, 0)
    for owner_id in (LIMITED, FREE):
        for _ in range(2):
            await add_job(database, owner_id=owner_id)

    assert await fire(database, defaults=Quotas(runs_per_minute=1)) == {
        (LIMITED, "queued", None): 1,
        (LIMITED, "skipped", "quota"): 1,
        (FREE, "queued", None): 2,
    }


async def test_skipped_run_does_not_count_for_max_runs(database: Database) -> None:
    await give(database, LIMITED, 1)
    await add_job(database, owner_id=LIMITED, name="first", next_run_at=NOON - timedelta(seconds=1))
    last = await add_job(database, owner_id=LIMITED, max_runs=1)
    await fire(database)

    async with database.read() as connection:
        found = (await connection.execute(select(jobs).where(jobs.c.id == last.id))).one()
    assert (found.scheduled_runs, found.status) == (0, "active")


async def test_runs_are_counted_anew_in_each_minute(database: Database) -> None:
    for minutes, expected in ((0, 0), (0, 3), (1, 0)):
        async with database.write() as connection:
            assert await quotas.open_minute(connection, LIMITED, NOON + minutes * MINUTE) == expected
            await quotas.add_runs(connection, LIMITED, 3)
    async with database.read() as connection:
        assert await quotas.count_in_minute(connection, LIMITED, NOON + MINUTE) == 3
        assert await quotas.count_in_minute(connection, LIMITED, NOON) == 0
