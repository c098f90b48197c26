"""Health over HTTP."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from fastapi import FastAPI
from testkit.waiting import eventually
from tests.api.conftest import SHARED

from scheduler_service.services.health import Component, Health, HealthStatus

pytestmark = SHARED


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/api/v1/health", "/api/v1/health/ready"])
async def test_health_is_ok_when_every_component_works(client: httpx2.AsyncClient, path: str) -> None:
    async def look() -> httpx2.Response | None:
        answer = await client.get(path)
        return None if answer.status_code == 503 else answer

    # The dispatcher has not ticked yet when the service opens.
    answer = await eventually(look)
    health = answer.json()
    assert (answer.status_code, health["status"]) == (200, "ok")
    assert health["components"]["database"]["latency_ms"] > 0
    assert {component["status"] for component in health["components"].values()} == {"ok"}
    assert health["components"].keys() >= {"database", "workers"}


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_health_is_503_and_names_the_failing_component(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def check(_self: object) -> Health:
        return Health((Component("database", HealthStatus.FAILING, "it is gone"),))

    monkeypatch.setattr(type(app.state.service.health), "recent", check)
    answer = await client.get(path)

    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"
    assert answer.json()["components"]["database"]["detail"] == "it is gone"


@pytest.mark.parametrize("path", ["/health/live", "/api/v1/health/live"])
async def test_liveness_is_ok_while_the_process_answers(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_probes_that_arrive_together_share_a_check(app: FastAPI) -> None:
    first, *others = await asyncio.gather(*(app.state.service.health.recent() for _ in range(3)))

    assert all(other is first for other in others)
