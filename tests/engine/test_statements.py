"""What a run costs: few statements on PostgreSQL, few transactions on SQLite, and no more if several run together."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testkit.databases import add_job
from testkit.doubles import FakeClock
from testkit.statement_counter import StatementCounter
from testkit.waiting import eventually
from tests.storage.stored_runs import put

from scheduler_service.domain.routing import EVERYTHING
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.engine.claimer import Claimer
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.execution_rules import ExecutionRules
from scheduler_service.engine.fitness import Fitness
from scheduler_service.engine.loop import WakeEvent
from scheduler_service.engine.slot_filler import SlotFiller
from scheduler_service.engine.worker_session import WorkerOptions, WorkerSession
from scheduler_service.sandbox.contract.spec import Cancel, End, Isolation, Level, OnOutput, Outcome, Spec
from scheduler_service.storage import logs, runs
from scheduler_service.storage.database import Database

SLOTS = 4
MAX_STATEMENTS = 6
MAX_TRANSACTIONS = 4


class SmallSandbox:
    """Prints a line, and waits until `parties` runs have done so."""

    def __init__(self, parties: int) -> None:
        self._all = asyncio.Barrier(parties)

    async def run(self, _spec: Spec, on_output: OnOutput, _cancel: Cancel) -> Outcome:
        await on_output(b"a line\n")
        await self._all.wait()
        return Outcome(End.EXITED, Isolation(Level.NONE), exit_code=0)


class Worker:
    """A worker without loops, and access to its database that is not counted."""

    def __init__(self, counted: Database, database: Database, parties: int, clock: FakeClock) -> None:
        box: Any = SmallSandbox(parties)
        self.session = WorkerSession(counted, clock, WorkerOptions(SLOTS, 1.0, 10.0))
        fitness = Fitness(box, self.session, on_fault=lambda: None, on_ready=lambda: None)
        executor = Executor(counted, clock, self.session, fitness, ExecutionRules())
        claimer = Claimer(counted, clock, self.session, EVERYTHING)
        self._filler = SlotFiller(self.session, claimer, executor, WakeEvent())
        self._database = database
        self._parties = parties

    async def execute(self) -> None:
        """Execute as many runs as the sandbox waits for, and look for more as the worker's loop does."""
        job = await add_job(self._database, overlap_policy="allow")
        waiting = [await put(self._database, job) for _ in range(self._parties)]

        async def have_ended() -> bool:
            async with self._database.read() as connection:
                found = [await runs.find(connection, run.id) for run in waiting]
            return all(run is not None and run.status is RunStatus.SUCCESS for run in found)

        await self._filler.fill()
        await eventually(have_ended)
        await self._filler.fill()
        async with self._database.read() as connection:
            assert {await logs.read(connection, run.id) for run in waiting} == {b"a line\n"}

    async def measure(self, count: Callable[[], int]) -> int:
        """Return by how much `count` rises for the second execution. The first one prepares statements."""
        await self.session.register()
        await self.execute()
        before = count()
        await self.execute()
        return count() - before


@pytest.mark.parametrize("parties", [1, SLOTS])
async def test_runs_take_few_statements_on_postgresql(
    migrated_postgres_url: str, clock: FakeClock, parties: int
) -> None:
    counter, database = StatementCounter(migrated_postgres_url), Database(migrated_postgres_url)
    async with counter.serve() as url:
        counted = Database(url)
        assert 2 <= await Worker(counted, database, parties, clock).measure(lambda: counter.count) <= MAX_STATEMENTS
        await counted.close()
    await database.close()


@pytest.mark.parametrize("parties", [1, SLOTS])
async def test_runs_take_few_transactions_on_sqlite(
    migrated_sqlite: Path, tmp_path: Path, clock: FakeClock, parties: int
) -> None:
    """A statement is a call of a function there; what takes time are the transactions in another thread."""
    path = shutil.copy(migrated_sqlite, tmp_path / "scheduler.db")
    database, counted = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    begun: list[str] = []
    async with counted.write() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.set_trace_callback(lambda statement: begun.append(statement) if "BEGIN" in statement[:5] else None)
    assert 2 <= await Worker(counted, database, parties, clock).measure(lambda: len(begun)) <= MAX_TRANSACTIONS
    await counted.close()
    await database.close()
