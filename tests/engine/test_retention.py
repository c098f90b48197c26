"""Retention: old history is pruned, recent and needed history stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.databases import NOON, add_job, queued_row
from testkit.doubles import FakeClock
from tests.database_fixtures import ON_SQLITE

from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.engine.retention import Pruner
from scheduler_service.storage import runs
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs as job_table
from scheduler_service.storage.tables import runs as run_table


async def add_skipped(database: Database, job_id: int, count: int = 1) -> None:
    row = runs.queued_row(
        job_id=job_id, owner_id="", trigger=Trigger.MANUAL, scheduled_for=NOON, priority=5, correlation_id="c", now=NOON
    )
    ended = runs.ended_row(row, RunStatus.SKIPPED, Reason.OVERLAP, NOON)
    async with database.write() as connection:
        await connection.execute(insert(run_table), [ended] * count)


async def count(database: Database, table: object) -> int:
    async with database.read() as connection:
        found: int = (await connection.execute(select(func.count()).select_from(table))).scalar_one()  # type: ignore[arg-type]
        return found


async def test_run_is_pruned_after_the_retention_time(database: Database, clock: FakeClock) -> None:
    job = await add_job(database)
    await add_skipped(database, job.id)
    pruner = Pruner(database, clock, retention_days=30, event_retention_hours=1)
    clock.at = NOON + timedelta(days=30)
    await pruner.prune()
    assert await count(database, run_table) == 1
    clock.advance(1)
    await pruner.prune()
    assert await count(database, run_table) == 0
    assert await count(database, job_table) == 1


async def test_parts_of_a_pruned_run_are_removed(database: Database, clock: FakeClock) -> None:
    job = await add_job(database)
    await add_skipped(database, job.id, 3)
    parts = (
        "INSERT INTO run_logs (run_id, at_byte, data) SELECT id, 0, CAST('x' AS {bytes}) FROM runs",
        (
            "INSERT INTO attempts (run_id, attempt, worker_id, started_at, status)"
            " SELECT id, 1, 'w', queued_at, 'success' FROM runs"
        ),
        "INSERT INTO run_upstreams (run_id, upstream_run_id) SELECT id, 1 FROM runs",
        (
            "INSERT INTO artifacts (id, run_id, name, size, sha256, media_type, place, created_at)"
            " SELECT 'a' || id, id, 'x', 0, '', '', 'url', queued_at FROM runs"
        ),
    )
    async with database.write() as connection:
        for statement in parts:
            await connection.execute(text(statement.format(bytes="BLOB" if database.is_sqlite else "BYTEA")))
    clock.at = NOON + timedelta(days=31)
    await Pruner(database, clock, retention_days=30, event_retention_hours=1).prune()
    for table, left in (("run_logs", 0), ("attempts", 0), ("run_upstreams", 0), ("artifacts", 3)):
        assert await count(database, sql_table(table)) == left, table
    async with database.read() as connection:
        owners = (await connection.execute(text("SELECT run_id FROM artifacts"))).scalars().all()
    assert owners == [None] * 3, "the sweeper deletes artifacts of no run"


async def test_pruning_continues_over_several_batches(database: Database, clock: FakeClock) -> None:
    job = await add_job(database)
    await add_skipped(database, job.id, 510)
    clock.at = NOON + timedelta(days=31)
    await Pruner(database, clock, retention_days=30, event_retention_hours=1).prune()
    assert await count(database, run_table) == 0


async def test_active_run_is_never_pruned(database: Database, clock: FakeClock) -> None:
    job = await add_job(database)
    row = queued_row(job)
    async with database.write() as connection:
        await runs.add(connection, row)
    clock.at = NOON + timedelta(days=3650)
    await Pruner(database, clock, retention_days=30, event_retention_hours=1).prune()
    assert await count(database, run_table) == 1


async def test_deleted_job_is_pruned_with_its_last_run(database: Database, clock: FakeClock) -> None:
    deleted = {"status": JobStatus.PAUSED, "next_run_at": None, "deleted_at": NOON}
    job = await add_job(database, **deleted)
    await add_skipped(database, job.id)
    await add_job(database)
    clock.at = NOON + timedelta(days=31)
    await Pruner(database, clock, retention_days=30, event_retention_hours=1).prune()
    assert await count(database, job_table) == 1


@pytest.mark.parametrize(
    ("seconds", "limits"),
    [(0.001, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]), (1.0, [500, 250, 125, 62, 50, 50, 50])],
)
@ON_SQLITE
async def test_size_of_a_batch_follows_its_duration(
    database: Database, clock: FakeClock, seconds: float, limits: list[int]
) -> None:
    asked: list[int] = []
    now = 0.0

    async def prune(_connection: AsyncConnection, _before: datetime, limit: int) -> int:
        nonlocal now
        now += seconds
        asked.append(limit)
        return limit if len(asked) < len(limits) else 0

    pruner = Pruner(database, clock, retention_days=30, event_retention_hours=1, prunes=[prune], monotonic=lambda: now)
    await pruner.prune()

    assert asked == limits
