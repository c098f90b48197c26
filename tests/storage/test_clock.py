"""The shared clock: it follows the database's clock, whatever delays this process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from testkit.servers import PostgresServer

from scheduler_service.storage import clock as clocks
from scheduler_service.storage.clock import DatabaseClock
from scheduler_service.storage.database import Database

HOUR = 3600.0
Stall = Callable[..., None]


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    database = Database(f"{postgres_server.url}/postgres")
    yield database
    await database.close()


@pytest.fixture
def stall(monkeypatch: pytest.MonkeyPatch) -> Stall:
    """Advance the clock by an hour."""
    passed = 0.0

    def pass_an_hour(*_: Any) -> None:
        nonlocal passed
        passed += HOUR

    monkeypatch.setattr(clocks, "monotonic", lambda: time.monotonic() + passed)
    return pass_an_hour


def seconds_ahead(clock: DatabaseClock) -> float:
    """Compare with the database's clock, which is this machine's."""
    return (clock.now() - datetime.now(UTC)).total_seconds()


async def test_clock_advances_monotonically_between_two_syncs(database: Database, stall: Stall) -> None:
    clock = DatabaseClock(database)
    await clock.sync()
    stall()
    assert seconds_ahead(clock) == pytest.approx(HOUR, abs=60)


async def test_clock_ignores_the_time_to_connect(database: Database, stall: Stall) -> None:
    event.listen(database._reader.sync_engine, "connect", stall)
    clock = DatabaseClock(database)
    await clock.sync()
    assert abs(seconds_ahead(clock)) < 60


@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute"])
async def test_clock_is_wrong_by_half_a_round_trip_at_most(
    database: Database, stall: Stall, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(clocks, "MORE_LOOKS", 0)
    event.listen(database._reader.sync_engine, moment, stall)
    clock = DatabaseClock(database)
    await clock.sync()
    assert abs(seconds_ahead(clock)) == pytest.approx(HOUR / 2, abs=60)


async def test_clock_ignores_the_first_statements_of_a_connection(
    database: Database, stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "MORE_LOOKS", 0)
    event.listen(database._reader.sync_engine, "before_cursor_execute", stall, once=True)
    clock = DatabaseClock(database)
    await clock.sync()
    assert abs(seconds_ahead(clock)) < 60


@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute"])
async def test_clock_reads_again_after_a_delayed_reading(database: Database, stall: Stall, moment: str) -> None:
    looks = iter([False, True])  # the first is for the connection

    def stall_the_second(*_: Any) -> None:
        if next(looks, False):
            stall()

    event.listen(database._reader.sync_engine, moment, stall_the_second)
    clock = DatabaseClock(database)
    await clock.sync()
    assert abs(seconds_ahead(clock)) < 60


async def test_clock_is_the_local_time_on_sqlite(tmp_path: Path) -> None:
    clock = DatabaseClock(Database(f"sqlite:///{tmp_path / 'never-opened.db'}"))
    before = datetime.now(UTC)
    await clock.sync()
    assert before <= clock.now() <= datetime.now(UTC)
