"""Explanations of stored jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from testkit.callers import ADMIN, BOB
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock
from tests.storage.stored_runs import put

from scheduler_service.domain.blockers import Code
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.errors import NotFoundError
from scheduler_service.services.explanations import ExplanationService
from scheduler_service.storage import workers
from scheduler_service.storage.database import Database


@pytest.fixture
def service(database: Database, clock: FakeClock) -> ExplanationService:
    return ExplanationService(database, clock, heartbeat_seconds=1)


async def test_explanation_has_the_newest_rows_and_what_is_unmet(
    database: Database, service: ExplanationService
) -> None:
    job = await add_job(database, owner_id="ann", overlap_policy="skip", concurrency_key="k")
    await put(database, job, RunStatus.SKIPPED, reason=Reason.OVERLAP)
    running = await put(database, job, RunStatus.RUNNING, concurrency_slot=0, concurrency_key="k/ann")
    explained = await service.explain(ADMIN, job, None, last=1)
    assert [run.id for run in explained.last] == [running.id]
    assert {blocker.code for blocker in explained.blockers if not blocker.met} == {
        Code.OVERLAP,
        Code.CONCURRENCY_KEY,
        Code.WORKERS,
    }


async def test_silent_worker_does_not_count(database: Database, service: ExplanationService, clock: FakeClock) -> None:
    job = await add_job(database)
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)

    async def unmet() -> set[Code]:
        return {each.code for each in (await service.explain(ADMIN, job, None, last=1)).blockers if not each.met}

    assert await unmet() == set()
    clock.advance(timedelta(minutes=1).total_seconds())
    assert await unmet() == {Code.WORKERS}


async def test_job_of_another_owner_is_not_explained(database: Database, service: ExplanationService) -> None:
    job = await add_job(database, owner_id="ann")
    with pytest.raises(NotFoundError):
        await service.explain(BOB, job, None, last=1)
