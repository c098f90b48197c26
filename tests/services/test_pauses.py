"""Pauses: their reason and end, and what ends them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from testkit.callers import ADMIN
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.run_state import JobStatus
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.services.jobs import JobService
from scheduler_service.services.pause_request import PauseRequest, read_pause_request
from scheduler_service.storage import jobs
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
UNTIL_ONE = PauseRequest(reason="maintenance", until=NOON + HOUR)


@pytest.fixture
def service(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


async def test_pause_keeps_its_reason_and_end(database: Database, service: JobService) -> None:
    job = await add_job(database, next_run_at=NOON + HOUR)
    paused = await service.pause(ADMIN, job.id, request=UNTIL_ONE)
    assert (paused.status, paused.pause_reason, paused.paused_until) == (JobStatus.PAUSED, "maintenance", NOON + HOUR)


async def test_second_pause_changes_the_reason_only_if_it_has_one(database: Database, service: JobService) -> None:
    job = await add_job(database, next_run_at=NOON + HOUR)
    await service.pause(ADMIN, job.id, request=UNTIL_ONE)
    assert (await service.pause(ADMIN, job.id)).pause_reason == "maintenance"
    replaced = await service.pause(ADMIN, job.id, request=PauseRequest(reason="incident"))
    assert (replaced.pause_reason, replaced.paused_until) == ("incident", None)


async def test_resume_clears_the_pause_and_the_failures(database: Database, service: JobService) -> None:
    paused = {"status": JobStatus.PAUSED, "next_run_at": None, "pause_reason": "x", "paused_until": NOON + HOUR}
    job = await add_job(database, **paused, failures_in_a_row=3)
    resumed = await service.resume(ADMIN, job.id)
    assert (resumed.pause_reason, resumed.paused_until, resumed.failures_in_a_row) == (None, None, 0)


@pytest.mark.parametrize("document", [{}, {"reason": None}, {"reason": "x", "until": None}])
def test_members_of_a_pause_can_be_null(document: dict[str, Any]) -> None:
    assert read_pause_request(document).until is None


async def test_pause_cannot_end_in_the_past(database: Database, service: JobService) -> None:
    job = await add_job(database, next_run_at=NOON + HOUR)
    with pytest.raises(InvalidInputError, match="until: must lie in the future"):
        await service.pause(ADMIN, job.id, request=PauseRequest(until=NOON))


async def test_pause_cannot_end_before_it_begins(database: Database, clock: FakeClock, service: JobService) -> None:
    """The end can pass while the request waits for the job; the instants up to then have rows already."""
    job = await add_job(database, next_run_at=NOON)
    request = PauseRequest(until=NOON + MINUTE)
    async with database.write() as connection:
        await jobs.lock(connection, job.id)
        waiting = asyncio.create_task(service.pause(ADMIN, job.id, request=request))
        clock.advance(90)
    with pytest.raises(InvalidInputError, match="until: must lie in the future"):
        await waiting


@pytest.mark.parametrize("enabled", [True, False])
async def test_instants_since_the_end_of_a_pause_are_owed(
    database: Database, clock: FakeClock, service: JobService, *, enabled: bool
) -> None:
    """No dispatcher was alive since then, and an edit comes first."""
    job = await add_job(database, next_run_at=NOON + MINUTE)
    await service.pause(ADMIN, job.id, request=PauseRequest(until=NOON + MINUTE))
    clock.advance(180)
    edited = await service.patch(ADMIN, job.id, {"enabled": enabled, "misfire_grace_seconds": 600})
    async with database.read() as connection:
        rows = (await connection.execute(select(runs.c.scheduled_for).order_by(runs.c.scheduled_for))).scalars().all()
    assert rows == [NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    assert (edited.status is JobStatus.ACTIVE, edited.paused_until) == (enabled, None)


async def test_job_with_all_its_runs_resumes_when_max_runs_grows(database: Database, service: JobService) -> None:
    finished = {"status": JobStatus.FINISHED, "next_run_at": None, "max_runs": 2, "scheduled_runs": 2}
    job = await add_job(database, **finished)
    with pytest.raises(ConflictError):
        await service.resume(ADMIN, job.id)
    again = await service.patch(ADMIN, job.id, {"max_runs": 3})
    assert (again.status, again.next_run_at) == (JobStatus.ACTIVE, NOON + timedelta(minutes=1))
