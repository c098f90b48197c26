"""Limits of requests: for each key, for each address without a valid key, at once, and of event streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope
from testkit.waiting import DEADLINE_SECONDS
from tests.api.conftest import client_of, serving, settings_for

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.http import held_stream, request_counters
from scheduler_service.http.request_counters import Counters, RateLimit

JOBS = "/api/v1/jobs"
WRONG = {"X-API-Key": "wrong"}


@pytest.fixture
def given(tmp_path: Path, migrated_sqlite: Path) -> dict[str, Any]:
    (tmp_path / "scheduler.db").write_bytes(migrated_sqlite.read_bytes())
    return {"database_url": f"sqlite:///{tmp_path}/scheduler.db", "data_dir": tmp_path}


@asynccontextmanager
async def app_with(given: dict[str, Any], **limits: Any) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    async with serving(settings_for(**given, **limits)) as app, client_of(app) as client:
        yield app, client


def from_address(app: FastAPI, address: str, **headers: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, client=(address, 4711))
    return client_of(app, transport=transport, headers=headers)


async def new_key(client: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    created: dict[str, Any] = (await client.post("/api/v1/keys", json={"owner_id": "ann", **fields})).json()
    return created


def assert_must_wait(answer: httpx2.Response) -> None:
    assert answer.status_code == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Too Many Requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_key_is_refused_above_its_rate(given: dict[str, Any]) -> None:
    async with app_with(given, requests_per_minute=5) as (app, client):
        key = (await new_key(client))["key"]
        async with client_of(app, headers={"X-API-Key": key}) as ann:
            answers = [await ann.get(JOBS) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert_must_wait(answers[-1])
        assert [answer.headers["RateLimit-Policy"] for answer in answers] == ['"key";q=5;w=60'] * 6
        assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == [
            "r=4",
            "r=3",
            "r=2",
            "r=1",
            "r=0",
            "r=0",
        ]
        assert (await client.get(JOBS)).status_code == 200  # another key
        assert (await ann_health(app, key)).status_code in {200, 503}


async def ann_health(app: FastAPI, key: str) -> httpx2.Response:
    async with client_of(app, headers={"X-API-Key": key}) as ann:
        answer = await ann.get("/health/live")
    assert "RateLimit" not in answer.headers
    return answer


async def test_address_is_refused_after_too_many_wrong_keys(given: dict[str, Any]) -> None:
    async with app_with(given, wrong_keys_per_minute=4, api_key="own") as (app, _):
        async with from_address(app, "192.0.2.7", **WRONG) as guesser:
            answers = [await guesser.get(JOBS) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401] * 4 + [429]
        assert_must_wait(answers[-1])
        async with from_address(app, "192.0.2.7", **{"X-API-Key": "own"}) as neighbour:
            assert (await neighbour.get(JOBS)).status_code == 200
        async with from_address(app, "192.0.2.8", **WRONG) as other:
            assert (await other.get(JOBS)).status_code == 401


async def test_ipv6_network_counts_as_one_address(given: dict[str, Any]) -> None:
    async with app_with(given, wrong_keys_per_minute=1, api_key="own") as (app, _):
        statuses = []
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
            async with from_address(app, address, **WRONG) as guesser:
                statuses.append((await guesser.get(JOBS)).status_code)
    assert statuses == [401, 429, 401]


async def test_unknown_key_is_not_looked_up_above_the_limit(given: dict[str, Any]) -> None:
    async with app_with(given, wrong_keys_per_minute=1) as (app, client):
        known, unknown = await new_key(client), await new_key(client)
        async with client_of(app, headers={"X-API-Key": known["key"]}) as holder:
            assert (await holder.get(JOBS)).status_code == 200
        async with client_of(app, headers=WRONG) as guesser:
            assert [(await guesser.get(JOBS)).status_code for _ in range(2)] == [401, 429]
        statuses = {}
        for name, key in (("known", known), ("unknown", unknown)):
            async with client_of(app, headers={"X-API-Key": key["key"]}) as holder:
                statuses[name] = (await holder.get(JOBS)).status_code
    assert statuses == {"known": 200, "unknown": 429}


async def test_request_is_refused_while_too_many_are_worked_on(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_with(given, max_requests=1) as (app, client):
        begun, may_end = asyncio.Event(), asyncio.Event()
        page = type(app.state.service.listing).page

        async def slow_page(*arguments: Any) -> Any:
            begun.set()
            await may_end.wait()
            return await page(*arguments)

        monkeypatch.setattr(type(app.state.service.listing), "page", slow_page)
        first = asyncio.create_task(client.get(JOBS))
        await begun.wait()
        refused, probe = await client.get(JOBS), await client.get("/health/live")
        may_end.set()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert probe.status_code == 200
        assert (await first).status_code == 200
        assert (await client.get(JOBS)).status_code == 200


class Follower:
    """A client of the event stream that goes on until `leave`. httpx2's transport would wait for the end."""

    def __init__(self, app: FastAPI, key: str = DEVELOPMENT_API_KEY) -> None:
        self.status = 0
        self._is_answered, self._left = asyncio.Event(), asyncio.Event()
        self._is_asked = False
        headers = [(b"host", b"localhost"), (b"x-api-key", key.encode())]
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/api/v1/events",
            "raw_path": b"/api/v1/events",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
            "headers": headers,
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.status = self.status or message["status"]
        self._is_answered.set()

    async def started(self) -> int:
        await asyncio.wait_for(self._is_answered.wait(), DEADLINE_SECONDS)
        return self.status

    async def leave(self) -> None:
        self._left.set()
        await self.task


async def test_key_has_a_limited_number_of_streams(given: dict[str, Any]) -> None:
    async with app_with(given, max_streams=1) as (app, client):
        first = Follower(app)
        assert await first.started() == 200
        second = Follower(app)
        assert await second.started() == 429
        await second.leave()
        another = Follower(app, (await new_key(client))["key"])
        assert await another.started() == 200
        await first.leave()
        third = Follower(app)
        assert await third.started() == 200
        await asyncio.gather(another.leave(), third.leave())


async def test_stream_ends_when_its_key_is_revoked(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_stream, "CHECK_SECONDS", 0.05)
    async with app_with(given) as (app, client):
        key = await new_key(client)
        follower = Follower(app, key["key"])
        assert await follower.started() == 200
        await client.delete(f"/api/v1/keys/{key['id']}")
        await asyncio.wait_for(follower.task, DEADLINE_SECONDS)


async def test_counters_of_processes_are_added_in_redis(redis_url: str) -> None:
    here, there = Counters(redis_url), Counters(redis_url)
    first, second = (RateLimit("key", 6, counters) for counters in (here, there))
    granted = [bool((await limit.take("k")).is_granted) for limit in (first, second) * 4]  # type: ignore[union-attr]
    assert granted == [True] * 6 + [False] * 2
    assert first.is_exhausted("k")
    assert not first.is_exhausted("another")
    await asyncio.gather(here.aclose(), there.aclose())


async def test_process_counts_alone_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_counters, "_ALONE_SECONDS", 0.0)
    counters = Counters("redis://127.0.0.1:9/0")
    limit = RateLimit("key", 2, counters)
    allowances = [await limit.take("k") for _ in range(3)]
    assert [allowance and allowance.is_granted for allowance in allowances] == [True, True, False]
    await counters.aclose()


async def test_limit_of_0_limits_nothing() -> None:
    assert await RateLimit("key", 0, Counters()).take("k") is None


async def test_large_limit_is_taken_in_parts() -> None:
    counters = Counters()
    taken = []
    take = counters.take

    async def counted(item: Any, name: str, amount: int) -> tuple[bool, int, float]:
        taken.append(amount)
        return await take(item, name, amount)

    counters.take = counted  # type: ignore[method-assign]
    limit = RateLimit("key", 1000, counters)
    granted = [(await limit.take("k")).is_granted for _ in range(1000)]  # type: ignore[union-attr]
    assert (all(granted), taken) == (True, [10] * 100)


async def test_request_without_a_key_does_not_count(given: dict[str, Any]) -> None:
    async with app_with(given, wrong_keys_per_minute=1) as (app, _), client_of(app, headers={}) as stranger:
        assert [(await stranger.get(JOBS)).status_code for _ in range(3)] == [401] * 3
