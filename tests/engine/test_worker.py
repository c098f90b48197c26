"""A worker of the distributed mode: it claims by itself, and notices wake it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.engine.conftest import create, until

from scheduler_service.bootstrap import Service, open_service, open_worker
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.engine.slot_filler import POLL_SECONDS
from scheduler_service.storage import jobs
from scheduler_service.storage.database import Database


@pytest.fixture
def settings(migrated_postgres_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return load_settings(
        database_url=migrated_postgres_url,
        redis_url=redis_url,
        data_dir=tmp_path,
        sandbox="none",
        slots=2,
        drain_seconds=0.2,
    )


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The request side without a worker."""
    async with open_service(settings) as service:
        yield service


async def queue(service: Service, script: str, times: int = 1) -> list[int]:
    """Queue runs of a job; returns their ids."""
    job = await create(service, {"type": "shell_script", "script": script}, overlap_policy="allow")
    return [(await service.jobs.run(ADMIN, job.id)).id for _ in range(times)]


async def test_notice_wakes_a_worker_that_rests(service: Service, settings: Settings) -> None:
    async with open_worker(settings) as worker:
        await until(service, (await queue(service, "true"))[0], RunStatus.SUCCESS)
        (run_id,) = await queue(service, "true")
        await worker.take_notice()
        detail = await until(service, run_id, RunStatus.SUCCESS)

    run = detail.view.run
    assert run.started_at is not None
    assert run.started_at - run.queued_at < timedelta(seconds=POLL_SECONDS / 2)


async def test_notice_waits_for_a_free_slot(service: Service, settings: Settings, tmp_path: Path) -> None:
    """Meanwhile the other notices are left to other workers."""
    run_ids = await queue(service, f"until test -e {tmp_path}/end; do sleep 0.01; done", 2)

    async with open_worker(settings) as worker:
        for run_id in run_ids:
            await until(service, run_id, RunStatus.RUNNING)
        taking = asyncio.create_task(worker.take_notice())
        await asyncio.sleep(0)
        assert not taking.done()
        (tmp_path / "end").touch()
        await taking


async def test_run_is_found_when_its_notice_is_lost(service: Service, settings: Settings) -> None:
    (run_id,) = await queue(service, "true")

    async with open_worker(settings):
        await until(service, run_id, RunStatus.SUCCESS)


async def test_concurrent_runs_never_exceed_the_slots(service: Service, settings: Settings, tmp_path: Path) -> None:
    script = f"echo begin >> {tmp_path}/diary; sleep 0.2; echo end >> {tmp_path}/diary"
    run_ids = await queue(service, script, 6)

    async with open_worker(settings):
        for run_id in run_ids:
            await until(service, run_id, RunStatus.SUCCESS)

    going, most = 0, 0
    for line in (tmp_path / "diary").read_text().split():
        going += 1 if line == "begin" else -1
        most = max(most, going)
    assert most == 2


async def test_next_run_begins_while_the_end_of_one_is_written(service: Service, settings: Settings) -> None:
    (first,), (second,) = await queue(service, "true"), await queue(service, "true")
    database = Database(settings.effective_database_url)
    job_id = (await service.runs.get(ADMIN, first)).view.run.job_id

    async with open_worker(settings.model_copy(update={"slots": 1})):
        async with database.write() as connection:
            await jobs.lock(connection, job_id)  # for which the end waits
            await until(service, second, RunStatus.RUNNING)
            assert (await service.runs.get(ADMIN, first)).view.run.status is RunStatus.RUNNING
        for run_id in (first, second):
            await until(service, run_id, RunStatus.SUCCESS)
    await database.close()


async def test_draining_worker_claims_nothing_and_requeues_its_runs(service: Service, settings: Settings) -> None:
    running, waiting = await queue(service, "sleep 300", 2)

    async with open_worker(settings.model_copy(update={"slots": 1})) as worker:
        await until(service, running, RunStatus.RUNNING)
        await worker.drain(0.1)
        assert await worker.fill() > 0

    detail = await service.runs.get(ADMIN, running)
    assert (detail.view.run.status, detail.view.run.attempt) == (RunStatus.QUEUED, 1)
    assert (await service.runs.get(ADMIN, waiting)).view.run.attempt == 0


async def test_worker_with_tags_refuses_a_job_without_tags(service: Service, settings: Settings) -> None:
    (run_id,) = await queue(service, "true")

    async with open_worker(settings.model_copy(update={"worker_tags": ("gpu",)})) as worker:
        await worker.fill()

    assert (await service.runs.get(ADMIN, run_id)).view.run.status is RunStatus.QUEUED


async def test_alive_file_is_written_while_the_worker_runs(settings: Settings, tmp_path: Path) -> None:
    alive_file = tmp_path / "alive"

    async def is_there() -> bool:
        return alive_file.exists()

    async with open_worker(settings.model_copy(update={"alive_file": alive_file})):
        await eventually(is_there)
