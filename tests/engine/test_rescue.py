"""Which workers are declared dead, and what becomes of their runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from testkit.databases import NOON, add_running
from testkit.doubles import FakeClock, Stopwatch

from scheduler_service.domain.records import Run, Worker
from scheduler_service.domain.run_state import RunStatus, WorkerState
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.storage import runs, workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.rescues import LostAttempt

DEAD_SECONDS = 10.0


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


async def test_worker_is_dead_when_its_counter_does_not_advance(database: Database, clock: FakeClock, run: Run) -> None:
    watch = Stopwatch()
    observer = rescuer(database, clock, watch)
    await observer.check_workers()
    watch.seconds += DEAD_SECONDS + 1
    await observer.check_workers()
    assert await status_of(database, run) is RunStatus.QUEUED


async def test_worker_that_beats_keeps_its_run_for_any_time(database: Database, clock: FakeClock, run: Run) -> None:
    watch = Stopwatch()
    observer = rescuer(database, clock, watch)
    for _ in range(10):
        await observer.check_workers()
        watch.seconds += DEAD_SECONDS - 1
        async with database.write() as connection:
            await workers.beat(connection, "w", state=WorkerState.ALIVE, busy=1, now=NOON)
    await observer.check_workers()
    assert await status_of(database, run) is RunStatus.RUNNING


async def test_worker_is_not_dead_when_the_wall_clock_jumps(database: Database, clock: FakeClock, run: Run) -> None:
    observer = rescuer(database, clock, Stopwatch())
    await observer.check_workers()
    clock.at = NOON + timedelta(days=365)
    await observer.check_workers()
    assert await status_of(database, run) is RunStatus.RUNNING


async def test_new_observer_waits_the_full_time_for_every_worker(
    database: Database, clock: FakeClock, run: Run
) -> None:
    watch = Stopwatch()
    await rescuer(database, clock, watch).check_workers()
    watch.seconds += DEAD_SECONDS + 1
    await rescuer(database, clock, watch).check_workers()
    assert await status_of(database, run) is RunStatus.RUNNING


async def test_three_observers_rescue_a_run_once(database: Database, clock: FakeClock, run: Run) -> None:
    watch = Stopwatch()
    observers = [rescuer(database, clock, watch) for _ in range(3)]
    for observer in observers:
        await observer.check_workers()
    watch.seconds += DEAD_SECONDS + 1
    for observer in observers:
        await observer.check_workers()
    async with database.read() as connection:
        found = await runs.find(connection, run.id)
    assert found is not None
    assert found.rescue_count == 1


class Listener:
    def __init__(self) -> None:
        self.lost: list[tuple[str, LostAttempt]] = []

    def attempts_lost(self, worker: Worker, lost: Sequence[LostAttempt]) -> None:
        self.lost += [(worker.id, each) for each in lost]


async def test_listener_learns_of_each_attempt_of_a_dead_worker(database: Database, clock: FakeClock, run: Run) -> None:
    listener, watch = Listener(), Stopwatch()
    observer = Rescuer(database, clock, worker_dead_seconds=DEAD_SECONDS, monotonic=watch, listener=listener)
    await observer.check_workers()
    watch.seconds += DEAD_SECONDS + 1

    await observer.check_workers()
    await observer.check_workers()

    assert listener.lost == [("w", LostAttempt(run.id, run.attempt, "a job"))]
