"""A whole service in the embedded mode: real loops, real child processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.database_fixtures import shared_database_url

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.runs import RunDetail

__all__ = ["shared_database_url"]

NEVER = "2099-01-01T00:00:00Z"

# For tests that share a service: they run on the loop that it runs on, and find there what others have left.
SHARED = pytest.mark.asyncio(loop_scope="module")


def settings_for(database_url: str, data_dir: Path) -> Settings:
    return load_settings(database_url=database_url, data_dir=data_dir, sandbox="none", slots=4, drain_seconds=0.5)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return settings_for(database_url, tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that all tests of a module share: to start one, and to compile its SQL, takes longer than a run."""
    async with open_service(settings_for(shared_database_url, tmp_path_factory.mktemp("data"))) as service:
        yield service


async def create(service: Service, payload: dict[str, Any], **changes: Any) -> Job:
    """Create a job whose own schedule is far away."""
    definition = {"name": "a job", "schedule_expr": NEVER, "retry_policy": {"max_retries": 0}, **changes}
    return await service.jobs.create(ADMIN, JobDefinition.model_validate({**definition, "payload": payload}))


async def until(service: Service, run_id: int, *statuses: RunStatus) -> RunDetail:
    """Wait for a run to come into one of these states."""

    async def look() -> RunDetail | None:
        detail = await service.runs.get(ADMIN, run_id)
        return detail if detail.view.run.status in statuses else None

    detail: RunDetail = await eventually(look)
    return detail


async def run_to_its_end(service: Service, payload: dict[str, Any], **changes: Any) -> RunDetail:
    """Run a payload once and wait for its end."""
    job = await create(service, payload, **changes)
    run = await service.jobs.run(ADMIN, job.id)
    return await until(service, run.id, *TERMINAL)
