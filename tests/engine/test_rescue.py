"""Rescue: who is taken for dead, and who is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from testkit.databases import NOON, add_running
from testkit.doubles import FakeClock

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import RunStatus, WorkerState
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.storage import runs, workers
from scheduler_service.storage.database import Database

DEAD_SECONDS = 10.0


class Stopwatch:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def run(database: Database) -> Run:
    return await add_running(database)


async def status_of(database: Database, run: Run) -> RunStatus:
    async with database.read() as connection:
        found = await runs.find(connection, run.id)
    assert found is not None
    return found.status


def rescuer(database: Database, clock: FakeClock, watch: Stopwatch) -> Rescuer:
    return Rescuer(database, clock, worker_dead_seconds=DEAD_SECONDS, monotonic=watch)


async def test_a_worker_whose_counter_stands_still_is_dead(database: Database, clock: FakeClock, run: Run) -> None:
    watch = Stopwatch()
    observer = rescuer(database, clock, watch)
    await observer.look()
    watch.seconds += DEAD_SECONDS + 1
    await observer.look()
    assert await status_of(database, run) is RunStatus.QUEUED


async def test_a_worker_that_beats_lives_however_long_its_run_takes(
    database: Database, clock: FakeClock, run: Run
) -> None:
    watch = Stopwatch()
    observer = rescuer(database, clock, watch)
    for _ in range(10):
        await observer.look()
        watch.seconds += DEAD_SECONDS - 1
        async with database.write() as connection:
            await workers.beat(connection, "w", state=WorkerState.ALIVE, busy=1, now=NOON)
    await observer.look()
    assert await status_of(database, run) is RunStatus.RUNNING


async def test_wall_clocks_do_not_matter(database: Database, clock: FakeClock, run: Run) -> None:
    observer = rescuer(database, clock, Stopwatch())
    await observer.look()
    clock.at = NOON + timedelta(days=365)
    await observer.look()
    assert await status_of(database, run) is RunStatus.RUNNING


async def test_a_new_observer_gives_every_worker_the_full_time(database: Database, clock: FakeClock, run: Run) -> None:
    watch = Stopwatch()
    await rescuer(database, clock, watch).look()
    watch.seconds += DEAD_SECONDS + 1
    await rescuer(database, clock, watch).look()
    assert await status_of(database, run) is RunStatus.RUNNING


async def test_several_observers_rescue_a_run_once(database: Database, clock: FakeClock, run: Run) -> None:
    watch = Stopwatch()
    observers = [rescuer(database, clock, watch) for _ in range(3)]
    for observer in observers:
        await observer.look()
    watch.seconds += DEAD_SECONDS + 1
    for observer in observers:
        await observer.look()
    async with database.read() as connection:
        found = await runs.find(connection, run.id)
    assert found is not None
    assert found.rescue_count == 1
