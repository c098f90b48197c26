"""The dispatcher's tick: fire, release, notify, rest."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.databases import NOON, add_job, queued_row
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.engine import dispatch
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage import ledger, runs
from scheduler_service.storage.database import Database
from scheduler_service.storage.ledger import Earliest
from scheduler_service.storage.tables import runs as run_table

TICK_SECONDS = 0.2


def dispatcher(database: Database, clock: FakeClock, broker: RecordingBroker) -> Dispatcher:
    return Dispatcher(database, broker, clock, tick_seconds=TICK_SECONDS)


async def test_tick_fires_due_jobs_and_notifies_workers(database: Database, clock: FakeClock) -> None:
    broker = RecordingBroker()
    await add_job(database)
    await dispatcher(database, clock, broker).tick()
    async with database.read() as connection:
        (run_id,) = (await connection.execute(select(run_table.c.id))).scalars()
    assert [(notice.run_id, notice.attempt) for notice in broker.notices] == [(run_id, 0)]


async def test_tick_fires_all_due_jobs_in_several_batches(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "BATCH", 10)
    broker = RecordingBroker()
    for _ in range(35):
        await add_job(database)
    await dispatcher(database, clock, broker).tick()
    assert len({notice.run_id for notice in broker.notices}) == 35


async def test_tick_sends_a_limited_number_of_notices(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "BATCH", 10)
    monkeypatch.setattr(dispatch, "MAX_NOTICES", 15)
    broker = RecordingBroker()
    for _ in range(35):
        await add_job(database)
    await dispatcher(database, clock, broker).tick()
    async with database.read() as connection:
        fired = (await connection.execute(select(func.count()).select_from(run_table))).scalar_one()
    assert (fired, len(broker.notices)) == (35, 15)


async def test_five_dispatchers_notify_once_for_each_run(database: Database, clock: FakeClock) -> None:
    broker = RecordingBroker()
    for _ in range(100):
        await add_job(database)
    await asyncio.gather(*(dispatcher(database, clock, broker).tick() for _ in range(5)))
    assert len(broker.notices) == len({notice.run_id for notice in broker.notices}) == 100


async def test_dispatcher_rests_until_the_next_instant(database: Database, clock: FakeClock) -> None:
    await add_job(database, next_run_at=NOON + timedelta(seconds=0.05))
    assert await dispatcher(database, clock, RecordingBroker()).tick() == 0.05


async def test_dispatcher_rests_for_one_tick_at_most(database: Database, clock: FakeClock) -> None:
    await add_job(database, next_run_at=NOON + timedelta(hours=1))
    assert await dispatcher(database, clock, RecordingBroker()).tick() == TICK_SECONDS


async def test_due_retry_is_released_and_notified_once(database: Database, clock: FakeClock) -> None:
    broker = RecordingBroker()
    job = await add_job(database, next_run_at=NOON + timedelta(days=1))
    row = queued_row(job)
    waiting = {
        "status": RunStatus.RETRYING,
        "attempt": 1,
        "notified_at": None,
        "available_at": NOON + timedelta(seconds=8),
    }
    async with database.write() as connection:
        run = await runs.add(connection, row | waiting)
    await dispatcher(database, clock, broker).tick()
    assert broker.notices == []
    clock.advance(8)
    for _ in range(2):
        await dispatcher(database, clock, broker).tick()
    assert [(notice.run_id, notice.attempt) for notice in broker.notices] == [(run.id, 1)]


async def test_idle_tick_does_not_wait_for_the_writer(database: Database, clock: FakeClock) -> None:
    """A writer that never commits must not stop a dispatcher that has nothing to write."""
    job = await add_job(database, next_run_at=NOON + timedelta(hours=1))
    async with database.write() as connection:
        await connection.execute(update(run_table).where(run_table.c.job_id == job.id).values(message="held"))
        async with asyncio.timeout(5):
            await dispatcher(database, clock, RecordingBroker()).tick()


async def test_workers_are_notified_after_the_commit(database: Database, clock: FakeClock) -> None:
    seen: list[int] = []

    class LookingBroker(RecordingBroker):
        async def send(self, _notices: object) -> None:
            async with database.read() as connection:
                seen.append((await connection.execute(select(func.count()).select_from(run_table))).scalar_one())

    await add_job(database)
    await dispatcher(database, clock, LookingBroker()).tick()
    assert seen == [1]


async def test_foreseen_instant_fires_before_a_look(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    look = ledger.earliest_due

    async def note_look(connection: AsyncConnection) -> Earliest:
        steps.append("look")
        return await look(connection)

    class NotingBroker(RecordingBroker):
        async def send(self, notices: Sequence[RunNotice]) -> None:
            steps.extend("notice" for _ in notices)

    monkeypatch.setattr(ledger, "earliest_due", note_look)
    tested = dispatcher(database, clock, NotingBroker())
    await add_job(database, next_run_at=NOON + timedelta(hours=1))
    await tested.tick()

    clock.advance(3600)

    assert await tested.tick() == dispatch.AFTER_FIRE_SECONDS
    await tested.tick()
    assert steps == ["look", "notice", "look"]


async def test_ordinary_fire_does_not_wait_for_the_disk(
    migrated_sqlite: Path, tmp_path: Path, clock: FakeClock
) -> None:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'scheduler.db')}")
    executed: list[str] = []
    await add_job(database)
    async with database.write() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.set_trace_callback(executed.append)
    await dispatcher(database, clock, RecordingBroker()).tick()
    await database.close()

    assert [words for words in executed if words.startswith(("PRAGMA", "BEGIN", "COMMIT"))][-4:] == [
        "PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE", "COMMIT", "PRAGMA synchronous=FULL"
    ]  # fmt: skip
