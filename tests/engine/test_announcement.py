"""The order of a run goes out before anybody is told that it begins."""

from __future__ import annotations

from typing import Any

from testkit.databases import add_job
from testkit.doubles import FakeClock
from tests.database_fixtures import ON_SQLITE
from tests.storage.stored_runs import put

from scheduler_service.domain.routing import EVERYTHING
from scheduler_service.engine.claimer import Claimer
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.execution_rules import ExecutionRules
from scheduler_service.engine.fitness import Fitness
from scheduler_service.engine.worker_session import WorkerOptions, WorkerSession
from scheduler_service.sandbox.contract.spec import Cancel, End, Isolation, Level, OnOutput, Outcome, Spec
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.transitions import AttemptEnd

pytestmark = ON_SQLITE


class Notes:
    """A sandbox and a listener that note what they are told."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def run(self, _spec: Spec, _on_output: OnOutput, _cancel: Cancel) -> Outcome:
        self.taken.append("order")
        return Outcome(End.EXITED, Isolation(Level.NONE), exit_code=0)

    def attempt_started(self, _claimed: Claimed) -> None:
        self.taken.append("started")

    def attempt_ended(self, _claimed: Claimed, _end: AttemptEnd | None) -> None:
        self.taken.append("ended")


async def test_start_is_told_after_the_order_and_before_the_end(database: Database, clock: FakeClock) -> None:
    notes: Any = Notes()
    session = WorkerSession(database, clock, WorkerOptions(1, 1.0, 10.0))
    await session.register()
    await put(database, await add_job(database))
    fitness = Fitness(notes, session, on_fault=lambda: None, on_ready=lambda: None)
    executor = Executor(database, clock, session, fitness, ExecutionRules(), listener=notes)

    ((claimed, handle),) = await Claimer(database, clock, session, EVERYTHING).claim(1)
    await executor.execute(claimed, handle)

    assert notes.taken == ["order", "started", "ended"]
