"""The stream of events over a real connection."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from sqlalchemy import text
from testkit.waiting import eventually
from tests.api.conftest import create, run_to_its_end, settings_for

from scheduler_service.api.app import create_app
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.storage.database import Database

Seen = dict[str, Any]


class Server(uvicorn.Server):
    """A server in this process, on a port of its own."""

    async def __aenter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._task = asyncio.create_task(self.serve([self._socket]))

        async def has_started() -> bool:
            return self.started

        await eventually(has_started)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self.should_exit = True
        await self._task
        self._socket.close()


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings_for(database_url, tmp_path))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=20)
    async with (
        Server(config) as url,
        httpx2.AsyncClient(
            base_url=url, headers={"X-API-Key": DEVELOPMENT_API_KEY}, timeout=30, verify=False
        ) as client,
    ):
        yield client


@asynccontextmanager
async def following(client: httpx2.AsyncClient, query: str = "", **headers: str) -> AsyncIterator[AsyncIterator[Seen]]:
    async with client.stream("GET", f"/api/v1/events{query}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith(":")  # from here on nothing is missed
        yield _events(lines)


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Seen]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield {**json.loads(fields["data"]), "event": fields["event"], "id": fields["id"]}
            fields = {}


async def until(events: AsyncIterator[Seen], kind: str) -> list[Seen]:
    seen: list[Seen] = []
    async with asyncio.timeout(30):
        while not seen or seen[-1]["event"] != kind:
            seen.append(await anext(events))
    return seen


async def test_stream_shows_events_of_jobs_and_runs_as_they_happen(client: httpx2.AsyncClient) -> None:
    async with following(client) as events:
        job_id = await run_to_its_end(client, "exit 3")
        seen = await until(events, "run.failed")

    assert [event["event"] for event in seen] == ["job.created", "run.queued", "run.running", "run.failed"]
    assert {(event["job_id"], event["job_name"]) for event in seen} == {(job_id, "a job")}
    assert (seen[-1]["type"], seen[-1]["reason"], seen[-1]["attempt"]) == ("run.failed", "exit_code", 1)
    assert len({event["correlation_id"] for event in seen[1:]}) == 1


async def test_stream_resumes_after_the_last_event_id(client: httpx2.AsyncClient) -> None:
    async with following(client) as events:
        await create(client, name="first")
        (first,) = await until(events, "job.created")
    await create(client, name="second")
    await create(client, name="third")
    async with following(client, **{"Last-Event-ID": first["id"]}) as events:
        second, third = await anext(events), await anext(events)

    assert [second["job_name"], third["job_name"]] == ["second", "third"]


async def test_client_is_told_when_it_missed_pruned_events(client: httpx2.AsyncClient, database_url: str) -> None:
    async with following(client) as events:
        await create(client)
        (seen,) = await until(events, "job.created")
    database = Database(database_url)
    async with database.write() as connection:
        await connection.execute(text("DELETE FROM events"))
    await database.close()

    headers = {"Last-Event-ID": seen["id"]}
    async with client.stream("GET", "/api/v1/events", headers=headers) as answer:
        events = _events(answer.aiter_lines())
        gap = await anext(events)
        await create(client, name="new")
        new = await anext(events)
    assert (gap["event"], gap["after"], gap["id"]) == ("stream.gap", seen["id"], seen["id"])
    assert new["job_name"] == "new"


async def test_stream_begins_with_new_events(client: httpx2.AsyncClient) -> None:
    await run_to_its_end(client, "true")
    await asyncio.sleep(0)
    async with following(client) as events:
        await create(client, name="new")
        seen = await until(events, "job.created")
    assert seen[-1]["job_name"] == "new"


async def test_invalid_last_event_id_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/events", headers={"Last-Event-ID": "yesterday"})
    assert answer.status_code == 422
    assert "Last-Event-ID" in answer.text


async def test_stream_needs_a_key(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/events", headers={"X-API-Key": "wrong"})).status_code == 401


async def test_open_stream_does_not_delay_the_stop(database_url: str, tmp_path: Path) -> None:
    app = create_app(settings_for(database_url, tmp_path))
    config = uvicorn.Config(app, log_config=None, access_log=False)
    async with httpx2.AsyncClient(headers={"X-API-Key": DEVELOPMENT_API_KEY}, timeout=30, verify=False) as client:
        server = Server(config)
        async with server as url:
            client.base_url = httpx2.URL(url)
            stream = client.stream("GET", "/api/v1/events")
            answer = await stream.__aenter__()
            app.state.service.stopping.set()
            async with asyncio.timeout(20):
                rest = [line async for line in answer.aiter_lines()]
            await stream.__aexit__(None, None, None)
    assert rest


async def test_stream_is_filtered_by_job_and_type(client: httpx2.AsyncClient) -> None:
    other, job = await create(client), await create(client)
    async with following(client, f"?job_id={job['id']}&type=job.paused,job.deleted") as events:
        for each in (other, job):
            await client.post(f"/api/v1/jobs/{each['id']}/pause")
            await client.delete(f"/api/v1/jobs/{each['id']}")

        seen = [await anext(events) for _ in range(2)]

    assert [(event["type"], event["job_id"]) for event in seen] == [
        ("job.paused", job["id"]),
        ("job.deleted", job["id"]),
    ]
    assert (await client.get("/api/v1/events?type=job.lost")).status_code == 422
