"""Loops that work only after changes leave the database alone while nothing happens."""

from __future__ import annotations

import pytest
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker, Stopwatch
from tests.storage.stored_events import settle

from scheduler_service.engine.changes import IDLE_SECONDS, Changes, after_changes
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage.database import Database


class CountedStep:
    def __init__(self) -> None:
        self.calls = 0
        self.fails = False

    async def __call__(self) -> float:
        self.calls += 1
        if self.fails:
            raise ConnectionError
        return 60.0


async def test_step_is_called_after_a_change_only() -> None:
    changes, counted = Changes(), CountedStep()
    step = after_changes(changes, counted, 1.0, Stopwatch())
    calls = []
    for newest in (5, 5, 6, 6, 3):
        changes.note(newest)
        assert await step() == 1.0
        calls.append(counted.calls)
    assert calls == [1, 1, 2, 2, 3], "a restored database can have a lower number"


async def test_step_is_called_until_changes_are_noted() -> None:
    counted = CountedStep()
    step = after_changes(Changes(), counted, 1.0, Stopwatch())
    await step()
    await step()
    assert counted.calls == 2


async def test_step_is_repeated_when_it_fails() -> None:
    changes, counted = Changes(), CountedStep()
    changes.note(1)
    step = after_changes(changes, counted, 1.0, Stopwatch())
    counted.fails = True
    with pytest.raises(ConnectionError):
        await step()
    counted.fails = False
    await step()
    assert counted.calls == 2


async def test_step_is_called_from_time_to_time_without_changes() -> None:
    changes, counted, monotonic = Changes(), CountedStep(), Stopwatch()
    changes.note(1)
    step = after_changes(changes, counted, 1.0, monotonic)
    await step()
    monotonic.seconds += IDLE_SECONDS
    await step()
    assert counted.calls == 2


async def test_dispatcher_notes_changes_of_jobs_and_runs(database: Database, clock: FakeClock) -> None:
    noted: list[int] = []
    dispatcher = Dispatcher(database, RecordingBroker(), clock, tick_seconds=1, note_change=noted.append)
    await dispatcher.tick()
    await dispatcher.tick()
    before = noted[-1]
    assert set(noted) == {before}
    await add_job(database, next_run_at=NOON)
    await settle(database)
    noted.clear()
    await dispatcher.tick()
    created = noted[0]
    await settle(database)
    await dispatcher.tick()
    assert before < created < noted[-1]
