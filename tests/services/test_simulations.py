"""Simulations of jobs: they agree with what the engine does, and reach only the jobs of the caller."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock
from testkit.scenarios import JOBS, differing
from testkit.virtual_engine import VirtualEngine

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.simulation_request import SimulationRequest
from scheduler_service.services.simulations import SimulationService
from scheduler_service.storage import run_lists
from scheduler_service.storage.database import Database

WINDOW = {"from": "2026-01-15T12:00:00Z", "to": "2026-01-15T13:00:00Z"}
DOCUMENT = {"name": "a", "schedule_expr": "*/10 * * * *", "payload": {"type": "shell_script", "script": "true"}}


@pytest.fixture
def service(database: Database, clock: FakeClock) -> SimulationService:
    return SimulationService(database, clock)


def request(**changes: Any) -> SimulationRequest:
    return SimulationRequest.model_validate({**WINDOW, **changes})


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
    engine = VirtualEngine(database, clock, {job.id: timedelta(seconds=run_seconds)})
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


@pytest.mark.parametrize("seed", range(2))
async def test_simulation_agrees_with_the_engine_about_random_jobs(
    database: Database, clock: FakeClock, seed: int
) -> None:
    """`python -m faultlab.simulations` compares 500 of them; each world has JOBS."""
    assert JOBS >= 20
    assert await differing(database, clock, seed) == []


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


async def test_written_job_of_another_owner_is_refused(service: SimulationService) -> None:
    """Otherwise the rows would show the days of another's calendar."""
    with pytest.raises(RejectedError) as refused:
        await service.simulate(ANN, request(job={**DOCUMENT, "owner_id": "bob"}))
    assert [problem.field for problem in refused.value.problems] == ["owner_id"]


async def test_job_without_a_schedule_cannot_be_simulated(database: Database, service: SimulationService) -> None:
    job = await add_job(database, schedule_expr=None, next_run_at=None)
    with pytest.raises(InvalidInputError, match="has no schedule"):
        await service.simulate(ADMIN, request(job_id=job.id))
