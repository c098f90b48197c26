"""A whole service in the embedded setting: real loops, real child processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config import Settings, load_settings
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.services.definition import JobDefinition
from scheduler_service.services.runs import RunDetail
from scheduler_service.storage.records import Job

DEADLINE_SECONDS = 30.0
NEVER = "2099-01-01T00:00:00Z"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return load_settings(database_url=database_url, data_dir=tmp_path, sandbox="none", slots=4, drain_seconds=0.5)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    async with open_service(settings) as service:
        yield service


async def eventually(look: Callable[[], Awaitable[Any]], deadline_seconds: float = DEADLINE_SECONDS) -> Any:
    """Look again and again until there is something to see; fails at the deadline."""
    async with asyncio.timeout(deadline_seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.02)
        return seen


async def create(service: Service, payload: dict[str, Any], **changes: Any) -> Job:
    """Create a job whose own schedule is far away."""
    definition = {"name": "a job", "schedule_expr": NEVER, "retry_policy": {"max_retries": 0}, **changes}
    return await service.jobs.create(JobDefinition.model_validate({**definition, "payload": payload}))


async def until(service: Service, run_id: int, *statuses: RunStatus) -> RunDetail:
    """Wait for a run to come into one of these states."""

    async def look() -> RunDetail | None:
        detail = await service.runs.get(run_id)
        return detail if detail.view.run.status in statuses else None

    detail: RunDetail = await eventually(look)
    return detail


async def run_to_its_end(service: Service, payload: dict[str, Any], **changes: Any) -> RunDetail:
    """Run a payload once and wait for its end."""
    job = await create(service, payload, **changes)
    run = await service.jobs.run(job.id)
    return await until(service, run.id, *TERMINAL)
