"""The interface on a real service, spoken to as a browser does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from testkit.waiting import eventually
from tests.database_fixtures import shared_database_url

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.loading import load_settings
from scheduler_service.entrypoints.application import create_application

__all__ = ["shared_database_url"]

SHARED = pytest.mark.asyncio(loop_scope="module")
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
NEVER = "2099-01-01T00:00:00Z"


@asynccontextmanager
async def serving(database_url: str, data_dir: Path, **changes: Any) -> AsyncIterator[FastAPI]:
    """Run the application, with its interface."""
    given = {"sandbox": "none", "slots": 2, "drain_seconds": 0, **changes}
    app = create_application(load_settings(database_url=database_url, data_dir=data_dir, **given))
    async with app.router.lifespan_context(app):
        yield app


class Browser:
    """A client with cookies that sends the headers of a browser."""

    def __init__(self, app: FastAPI, *, host: str = "localhost", address: str = "127.0.0.1") -> None:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
        self.client = httpx2.AsyncClient(transport=transport, base_url=f"http://{host}")

    async def open(self, path: str, **headers: str) -> httpx2.Response:
        """Request a page and follow redirects."""
        return await self.client.get(path, follow_redirects=True, headers=headers)

    async def send(
        self, path: str, fields: Mapping[str, Any] | None = None, *, page: str = "/ui/jobs", follow: bool = True
    ) -> httpx2.Response:
        """Post a form with the token of a page."""
        token = _TOKEN.search((await self.open(page)).text)
        data = {"csrf_token": token[1] if token else "", **(fields or {})}
        headers = {"Sec-Fetch-Site": "same-origin"}
        return await self.client.post(path, data=data, headers=headers, follow_redirects=follow)

    async def log_in(self, key: str = DEVELOPMENT_API_KEY) -> httpx2.Response:
        """Log in with a key."""
        return await self.send("/ui/login", {"key": key}, page="/ui/login", follow=False)

    async def call(self, method: str, path: str, document: Any = None) -> Any:
        """Call the API with the development key and return its document."""
        headers = {"X-API-Key": DEVELOPMENT_API_KEY}
        answer = await self.client.request(method, f"/api/v1{path}", json=document, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """An application that all tests of a module share."""
    async with serving(shared_database_url, tmp_path_factory.mktemp("data")) as app:
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(app: FastAPI) -> Browser:
    """A browser that is logged in with the development key."""
    browser = Browser(app)
    await browser.log_in()
    return browser


async def create_job(browser: Browser, **changes: Any) -> dict[str, Any]:
    """Create a job by the API whose own schedule is far away."""
    payload = {"type": "shell_script", "script": "echo hello"}
    job: dict[str, Any] = await browser.call(
        "POST", "/jobs", {"name": "a job", "schedule_expr": NEVER, "payload": payload, **changes}
    )
    return job


async def run_to_the_end(browser: Browser, job_id: int, **request: Any) -> int:
    """Run a job, and return the run when it has ended."""
    run_id = (await browser.call("POST", f"/jobs/{job_id}/run", request or None))["id"]

    async def has_ended() -> bool:
        return (await browser.call("GET", f"/runs/{run_id}"))["finished_at"] is not None

    await eventually(has_ended)
    return int(run_id)
