"""Workers: what each executes, and draining."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock
from tests.storage.stored_runs import ME, put

from scheduler_service.domain.run_state import RunStatus, WorkerState
from scheduler_service.engine.worker_session import WorkerOptions, WorkerSession
from scheduler_service.errors import ForbiddenError, NotFoundError
from scheduler_service.features.workers.service import WorkerService
from scheduler_service.services.liveness import Liveness
from scheduler_service.storage import workers
from scheduler_service.storage.database import Database


@pytest.fixture
def service(database: Database, clock: FakeClock) -> WorkerService:
    return WorkerService(database, clock, heartbeat_seconds=1)


async def register(database: Database, worker_id: str = ME) -> None:
    async with database.write() as connection:
        await workers.register(
            connection, worker_id, host="h", pid=1, slots=2, grants=["backup"], tags=["gpu"], now=NOON
        )


async def test_worker_shows_the_runs_of_the_owner(service: WorkerService, database: Database) -> None:
    await register(database)
    mine = await put(database, await add_job(database, owner_id="ann", name="etl"), RunStatus.RUNNING)
    await put(database, await add_job(database, owner_id="bob"), RunStatus.RUNNING)

    (of_all,), (of_ann,) = await service.all(ADMIN), await service.all(ANN)

    assert len(of_all.runs) == 2
    assert [(run.run_id, run.job_name) for run in of_ann.runs] == [(mine.id, "etl")]
    assert (of_ann.worker.tags, of_ann.worker.grants, of_ann.state) == (["gpu"], ["backup"], Liveness.ALIVE)


async def test_age_of_the_heartbeat_is_shown(service: WorkerService, database: Database, clock: FakeClock) -> None:
    await register(database)
    clock.advance(2.5)
    assert (await service.get(ADMIN, ME)).heartbeat_age_seconds == 2.5
    clock.advance(60)
    assert (await service.get(ADMIN, ME)).state is Liveness.SILENT


async def test_drained_worker_claims_no_more_runs(service: WorkerService, database: Database, clock: FakeClock) -> None:
    options = WorkerOptions(slots=2, heartbeat_seconds=1, worker_dead_seconds=10, tags=("gpu",))
    session = WorkerSession(database, clock, options)
    await session.register()
    assert session.is_ready

    drained = await service.drain(ADMIN, session.id)
    await session.beat()

    assert drained.state is Liveness.DRAINING
    assert (session.state, session.is_ready) == (WorkerState.DRAINING, False)
    assert (await service.get(ADMIN, session.id)).worker.state is WorkerState.DRAINING


async def test_only_an_administrator_drains_a_worker(service: WorkerService, database: Database) -> None:
    await register(database)
    with pytest.raises(ForbiddenError):
        await service.drain(BOB, ME)
    assert replace(await service.get(ANN, ME), runs=()).state is Liveness.ALIVE


async def test_unknown_or_dead_worker_cannot_be_drained(service: WorkerService, database: Database) -> None:
    await register(database)
    async with database.write() as connection:
        await workers.retire(connection, ME)
    for worker_id in (ME, "nobody"):
        with pytest.raises(NotFoundError, match="GET /workers"):
            await service.drain(ADMIN, worker_id)
