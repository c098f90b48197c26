"""Simulations of jobs: they agree with what the engine does, and reach only the jobs of the caller."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.simulation_request import SimulationRequest
from scheduler_service.services.simulations import SimulationService
from scheduler_service.storage import run_lists
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs

WINDOW = {"from": "2026-01-15T12:00:00Z", "to": "2026-01-15T13:00:00Z"}
DOCUMENT = {"name": "a", "schedule_expr": "*/10 * * * *", "payload": {"type": "shell_script", "script": "true"}}
HALF_MINUTE = timedelta(seconds=30)


@pytest.fixture
def service(database: Database, clock: FakeClock) -> SimulationService:
    return SimulationService(database, clock)


def request(**changes: Any) -> SimulationRequest:
    return SimulationRequest.model_validate({**WINDOW, **changes})


class VirtualEngine:
    """The real dispatcher on a virtual clock, with a worker that takes `run_seconds` for a run."""

    def __init__(self, database: Database, clock: FakeClock, max_concurrency: int, run_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._dispatcher = Dispatcher(database, RecordingBroker(), clock, tick_seconds=1)
        self._slots = max_concurrency
        self._length = timedelta(seconds=run_seconds)

    async def run_until(self, end: datetime, outages: list[tuple[float, float]]) -> None:
        """Advance the clock in steps of half a minute."""
        while self._clock.now() < end:
            await self._execute()
            minute = (self._clock.now() - NOON).total_seconds() / 60
            if not any(begin <= minute < stop for begin, stop in outages):
                await self._dispatcher.tick()
            await self._execute()
            self._clock.advance(HALF_MINUTE.total_seconds())

    async def _execute(self) -> None:
        now = self._clock.now()
        running, success = runs.c.status == RunStatus.RUNNING, {"status": RunStatus.SUCCESS, "exit_code": 0}
        async with self._database.write() as connection:
            cancelled = {"status": RunStatus.CANCELLED, "reason": runs.c.cancel_reason, "finished_at": now}
            asked = runs.c.cancel_requested_at.is_not(None)
            await connection.execute(update(runs).where(running, asked).values(**cancelled))
            over = runs.c.started_at <= now - self._length
            await connection.execute(update(runs).where(running, over).values(**success, finished_at=now))
            held = len((await connection.execute(select(runs.c.id).where(running))).all())
            waiting = select(runs.c.id).where(runs.c.status == RunStatus.QUEUED, runs.c.available_at <= now)
            chosen = (await connection.execute(waiting.order_by(runs.c.id).limit(self._slots - held))).scalars().all()
            began = {"status": RunStatus.RUNNING, "started_at": now, "attempt": 1, "worker_id": "w"}
            await connection.execute(update(runs).where(runs.c.id.in_(chosen)).values(**began))


SCENARIOS: dict[str, tuple[dict[str, Any], list[tuple[float, float]], float]] = {
    "no outage": ({}, [], 60),
    "long runs are skipped": ({"overlap_policy": "skip"}, [], 900),
    "outage, newest only": ({"misfire_policy": "fire_once", "overlap_policy": "skip"}, [(5, 36)], 60),
    "outage, all": ({"misfire_policy": "fire_all", "overlap_policy": "queue"}, [(5, 36)], 300),
    "outage, limited": ({"misfire_policy": "fire_all", "catchup_limit": 1, "overlap_policy": "queue"}, [(5, 45)], 60),
    "outage, none": ({"misfire_policy": "skip", "overlap_policy": "skip"}, [(5, 36)], 60),
    "cancelled for the next": ({"overlap_policy": "cancel_running"}, [], 900),
    "deadline": ({"overlap_policy": "queue", "start_deadline_seconds": 180.0}, [], 900),
    "two outages and two slots": ({"overlap_policy": "skip", "max_concurrency": 2}, [(5, 12), (25, 41)], 1500),
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_simulation_agrees_with_the_engine(
    database: Database, clock: FakeClock, service: SimulationService, name: str
) -> None:
    changes, outages, run_seconds = SCENARIOS[name]
    job = await add_job(database, schedule_expr="*/10 * * * *", **{"overlap_policy": "skip", **changes})
    engine = VirtualEngine(database, clock, job.max_concurrency, run_seconds)
    # Beyond the window, so that its last runs end.
    await engine.run_until(NOON + timedelta(minutes=59.5), outages)
    async with database.read() as connection:
        rows = (await run_lists.page(connection, RunFilter(job_id=job.id), Page(size=100))).items
    spans = [{"from": NOON + timedelta(minutes=begin), "to": NOON + timedelta(minutes=end)} for begin, end in outages]
    simulated = await service.simulate(ADMIN, request(job_id=job.id, outages=spans, run_seconds=run_seconds))
    executed = {RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.SUCCESS}
    real = sorted((row.scheduled_for, row.status, row.reason, row.missed_count) for row in rows)
    assert [(row.scheduled_for, row.reason, row.missed_count) for row in simulated.rows] == [
        (scheduled_for, reason, count) for scheduled_for, _, reason, count in real
    ]
    assert [row.status in executed for row in simulated.rows] == [status in executed for _, status, *_ in real]


async def test_written_job_is_simulated(service: SimulationService) -> None:
    simulated = await service.simulate(ANN, request(job={**DOCUMENT, "calendars": ["weekends"]}))
    assert [str(row.reason) for row in simulated.rows] == ["calendar"] * 6


async def test_every_problem_of_a_written_job_is_named(service: SimulationService) -> None:
    with pytest.raises(RejectedError) as refused:
        await service.simulate(ANN, request(job={**DOCUMENT, "priority": 10, "colour": "red"}))
    assert {problem.field for problem in refused.value.problems} == {"priority", "colour"}


async def test_job_of_another_owner_is_not_simulated(database: Database, service: SimulationService) -> None:
    job = await add_job(database, owner_id="ann")
    with pytest.raises(NotFoundError):
        await service.simulate(BOB, request(job_id=job.id))


async def test_job_without_a_schedule_cannot_be_simulated(database: Database, service: SimulationService) -> None:
    job = await add_job(database, schedule_expr=None, next_run_at=None)
    with pytest.raises(InvalidInputError, match="has no schedule"):
        await service.simulate(ADMIN, request(job_id=job.id))
