"""The whole application on a real service, spoken to in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from testkit.waiting import eventually
from tests.database_fixtures import shared_database_url

from scheduler_service.api.app import create_app
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings

__all__ = ["shared_database_url"]

NEVER = "2099-01-01T00:00:00Z"
DEFINITION: dict[str, Any] = {
    "name": "a job",
    "schedule_expr": NEVER,
    "payload": {"type": "shell_script", "script": "echo hello"},
}


def settings_for(database_url: str, data_dir: Path, **changes: Any) -> Settings:
    given = {"sandbox": "none", "slots": 2, "drain_seconds": 0, **changes}
    return load_settings(database_url=database_url, data_dir=data_dir, **given)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[FastAPI]:
    """Run an application between its start and its end."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


def client_of(app: FastAPI, **options: Any) -> httpx2.AsyncClient:
    """Return a client with a valid key, on this machine."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    headers = {"X-API-Key": DEVELOPMENT_API_KEY}
    return httpx2.AsyncClient(**{"transport": transport, "base_url": "http://localhost", "headers": headers, **options})


# For the modules that share a service: their tests run on the loop that it runs on. What they find there is what others
# have left, so those that count things ask for `own_client`, and are marked as ALONE in such a module.
SHARED = pytest.mark.asyncio(loop_scope="module")
ALONE = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """An application that all tests of a module share: it takes a tenth of a second to make and start one."""
    async with serving(settings_for(shared_database_url, tmp_path_factory.mktemp("data"))) as app:
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def own_client(database_url: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service of this test's own, with nothing in it."""
    async with serving(settings_for(database_url, tmp_path)) as app, client_of(app) as client:
        yield client


async def create(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Create a job whose own schedule is far away."""
    answer = await client.post("/api/v1/jobs", json={**DEFINITION, **changes})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def run_to_its_end(client: httpx2.AsyncClient, script: str) -> int:
    job = await create(client, payload={"type": "shell_script", "script": script}, retry_policy={"max_retries": 0})
    run_id = (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"]

    async def has_ended() -> bool:
        return (await client.get(f"/api/v1/runs/{run_id}")).json()["finished_at"] is not None

    await eventually(has_ended)
    return int(job["id"])
