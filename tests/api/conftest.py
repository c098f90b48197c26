"""The whole application on a real service, spoken to in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from scheduler_service.api.app import create_app
from scheduler_service.config import DEVELOPMENT_API_KEY, Settings, load_settings

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
    """Give a client with a valid key, on this machine."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    headers = {"X-API-Key": DEVELOPMENT_API_KEY}
    return httpx2.AsyncClient(**{"transport": transport, "base_url": "http://localhost", "headers": headers, **options})


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with serving(settings_for(database_url, tmp_path)) as app:
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def create(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Create a job whose own schedule is far away."""
    answer = await client.post("/api/v1/jobs", json={**DEFINITION, **changes})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job
