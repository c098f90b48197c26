"""Faults of the host: a run that could not start loses no attempt, and an unfit worker claims nothing."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.database_fixtures import ON_SQLITE
from tests.engine.conftest import create, run_to_its_end, until

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.open_files import ENOUGH
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.services.health import Component, HealthStatus
from scheduler_service.services.runs import RunDetail

OPEN_FILES = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
HELLO = {"type": "shell_script", "script": "echo attempt $SCHEDULER_ATTEMPT; [ $SCHEDULER_ATTEMPT != 1 ]"}


@contextmanager
def without_run_directory(data_dir: Path) -> Iterator[None]:
    """Replace the directory of the runs by a file until the end of the block."""
    runs = data_dir / "runs"
    shutil.rmtree(runs)
    runs.write_text("in the way")
    yield
    runs.unlink()


async def sandbox_component(service: Service, status: HealthStatus) -> Component:
    async def look() -> Component | None:
        found = {component.name: component for component in (await service.health.check()).components}
        return found["sandbox"] if found["sandbox"].status is status else None

    component: Component = await eventually(look)
    return component


async def put_back(service: Service, run_id: int) -> RunDetail:
    async def look() -> RunDetail | None:
        detail = await service.runs.get(ADMIN, run_id)
        return detail if detail.view.run.fault_count else None

    detail: RunDetail = await eventually(look)
    return detail


async def figure(service: Service, name: str, **labels: str) -> float:
    samples = [sample for metric in await service.metrics.read() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


@ON_SQLITE
async def test_no_attempt_is_used_up_when_the_sandbox_cannot_begin(settings: Settings) -> None:
    async with open_service(settings) as service:
        with without_run_directory(settings.data_dir):
            job = await create(service, HELLO, retry_policy={"max_retries": 1, "retry_delay": 0})
            run = (await put_back(service, (await service.jobs.run(ADMIN, job.id)).id)).view.run
            component = await sandbox_component(service, HealthStatus.FAILING)
            unfit = await figure(service, "scheduler_workers", state="unfit")
        detail = await until(service, run.id, *TERMINAL)
        await sandbox_component(service, HealthStatus.OK)
        faults = await figure(service, "scheduler_sandbox_faults_total")

    assert (run.status, run.attempt, run.retry_count, run.started_at) == (RunStatus.QUEUED, 0, 0, None)
    assert "the sandbox of worker" in (run.message or "")
    assert "runs" in (run.message or ""), "the host's own words"
    assert "claims no runs" in component.detail
    assert (unfit, faults) == (1, detail.view.run.fault_count)
    assert (detail.view.run.status, detail.view.run.rescue_count) == (RunStatus.SUCCESS, 0)
    assert [attempt.status for attempt in detail.attempts] == [RunStatus.FAILED, RunStatus.SUCCESS]
    assert detail.view.logs == "attempt 1\n--- attempt 2 ---\nattempt 2\n"


@ON_SQLITE
async def test_unfit_worker_claims_nothing(settings: Settings) -> None:
    async with open_service(settings) as service:
        with without_run_directory(settings.data_dir):
            job = await create(service, HELLO, overlap_policy="allow")
            first = await put_back(service, (await service.jobs.run(ADMIN, job.id)).id)
            others = [(await service.jobs.run(ADMIN, job.id)).id for _ in range(5)]
            await sandbox_component(service, HealthStatus.FAILING)
            faults = await figure(service, "scheduler_sandbox_faults_total")
        for run_id in (first.view.run.id, *others):
            await until(service, run_id, *TERMINAL)

    assert faults == 1


@ON_SQLITE
async def test_service_raises_its_own_file_limit_and_not_that_of_jobs(settings: Settings) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1000), hard))
    async with open_service(settings) as service:
        detail = await run_to_its_end(service, {"type": "python_code", "code": OPEN_FILES})

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, ENOUGH), hard)
    assert detail.view.logs == f"{min(hard, 1024)}\n"


@ON_SQLITE
async def test_requeued_run_is_cancelled_at_once(settings: Settings) -> None:
    async with open_service(settings) as service:
        with without_run_directory(settings.data_dir):
            job = await create(service, HELLO)
            run = (await put_back(service, (await service.jobs.run(ADMIN, job.id)).id)).view.run
            assert (await service.runs.cancel(ADMIN, run.id)).status is RunStatus.CANCELLED


@ON_SQLITE
async def test_worker_starts_unfit_when_the_disk_is_full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    full, make = [True], os.mkdir

    def mkdir(path: Any, *arguments: Any, **options: Any) -> None:
        if full and "service-" in str(path):
            raise OSError(28, "No space left on device", str(path))
        make(path, *arguments, **options)

    monkeypatch.setattr(os, "mkdir", mkdir)
    async with open_service(settings) as service:
        component = await sandbox_component(service, HealthStatus.FAILING)
        job = await create(service, HELLO)
        run = await service.jobs.run(ADMIN, job.id)
        full.clear()
        detail = await until(service, run.id, *TERMINAL)

    assert "No space left on device" in component.detail
    assert (detail.view.run.attempt, detail.view.run.fault_count) == (1, 0)
