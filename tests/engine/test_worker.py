"""A worker of the distributed mode: runs from notices and runs from polls share its slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.engine.conftest import create, until

from scheduler_service.bootstrap import Service, open_service, open_worker
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import RunStatus


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


async def test_notice_executes_its_run_once(service: Service, settings: Settings) -> None:
    (run_id,) = await queue(service, "true")

    async with open_worker(settings) as worker:
        assert await worker.execute(run_id, 0)
        assert not await worker.execute(run_id, 0)

    assert (await until(service, run_id, RunStatus.SUCCESS)).view.run.attempt == 1


async def test_second_notice_waits_for_the_end_of_the_run(service: Service, settings: Settings) -> None:
    (run_id,) = await queue(service, "sleep 0.3")

    async with open_worker(settings) as worker:
        assert all(await asyncio.gather(worker.execute(run_id, 0), worker.execute(run_id, 0)))

    assert (await until(service, run_id, RunStatus.SUCCESS)).view.run.attempt == 1


async def test_run_is_found_when_its_notice_is_lost(service: Service, settings: Settings) -> None:
    (run_id,) = await queue(service, "true")

    async with open_worker(settings):
        await until(service, run_id, RunStatus.SUCCESS)


async def test_concurrent_runs_never_exceed_the_slots(service: Service, settings: Settings, tmp_path: Path) -> None:
    script = f"echo begin >> {tmp_path}/diary; sleep 0.2; echo end >> {tmp_path}/diary"
    run_ids = await queue(service, script, 6)

    async with open_worker(settings) as worker:
        assert all(await asyncio.gather(*(worker.execute(run_id, 0) for run_id in run_ids)))

    going, most = 0, 0
    for line in (tmp_path / "diary").read_text().split():
        going += 1 if line == "begin" else -1
        most = max(most, going)
    assert most == 2


async def test_draining_worker_claims_nothing_and_requeues_its_runs(service: Service, settings: Settings) -> None:
    running, waiting = await queue(service, "sleep 300", 2)

    # One slot: the worker also polls, and must not find a free one for the second run before it drains.
    async with open_worker(settings.model_copy(update={"slots": 1})) as worker:
        execution = asyncio.create_task(worker.execute(running, 0))
        await until(service, running, RunStatus.RUNNING)
        await worker.drain(0.1)
        assert not await worker.execute(waiting, 0)
        await execution

    detail = await service.runs.get(ADMIN, running)
    assert (detail.view.run.status, detail.view.run.attempt) == (RunStatus.QUEUED, 1)
    assert (await service.runs.get(ADMIN, waiting)).view.run.attempt == 0


async def test_worker_with_tags_refuses_a_job_without_tags(service: Service, settings: Settings) -> None:
    (run_id,) = await queue(service, "true")

    async with open_worker(settings.model_copy(update={"worker_tags": ("gpu",)})) as worker:
        assert not await worker.execute(run_id, 0)

    assert (await service.runs.get(ADMIN, run_id)).view.run.status is RunStatus.QUEUED


async def test_alive_file_is_written_while_the_worker_runs(settings: Settings, tmp_path: Path) -> None:
    alive_file = tmp_path / "alive"

    async def is_there() -> bool:
        return alive_file.exists()

    async with open_worker(settings.model_copy(update={"alive_file": alive_file})):
        await eventually(is_there)
