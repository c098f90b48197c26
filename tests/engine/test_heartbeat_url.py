"""The heartbeat URL is requested only while the service is healthy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from testkit.databases import NOON
from testkit.doubles import FakeClock
from tests.database_fixtures import ON_SQLITE
from tests.features.alerts.receiver import Receiver, hang
from tests.features.alerts.steps import requests_to

from scheduler_service.bootstrap import open_service
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import WorkerState
from scheduler_service.engine.heartbeat_url import HeartbeatUrl
from scheduler_service.outbound import web
from scheduler_service.services.health import HealthService
from scheduler_service.storage import dispatchers, workers
from scheduler_service.storage.database import Database


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def show_life(database: Database, clock: FakeClock, *, ticks: bool, works: bool) -> None:
    async with database.write() as connection:
        if ticks:
            await dispatchers.note_tick(connection, "of another process", clock.now())
        if works:
            await workers.beat(connection, "w", state=WorkerState.ALIVE, busy=0, now=clock.now())


async def test_no_request_while_a_dispatcher_or_worker_is_missing(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    health = HealthService(database, clock, heartbeat_seconds=1, tick_seconds=0.2)
    pulse = HeartbeatUrl(f"{receiver.url}/pulse", 60, health.is_ready)
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
    for ticks, works, pulses in ((True, True, 1), (False, True, 1), (True, False, 1), (True, True, 2)):
        clock.advance(10)
        await show_life(database, clock, ticks=ticks, works=works)
        assert await pulse.request() == 60
        assert len(receiver.of("/pulse")) == pulses


async def test_monitor_that_does_not_answer_does_no_harm(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "DELIVERY_SECONDS", 1.5)
    receiver.behaviours = {"/pulse": iter([hang])}

    async def is_healthy() -> bool:
        return True

    assert await HeartbeatUrl(f"{receiver.url}/pulse", 60, is_healthy).request() == 60
    assert await HeartbeatUrl("http://a..b/", 60, is_healthy).request() == 60


@ON_SQLITE
async def test_service_requests_the_heartbeat_url_while_it_is_ready(settings: Settings, receiver: Receiver) -> None:
    url = type(settings.api_key)(f"{receiver.url}/pulse")
    changed = settings.model_copy(update={"heartbeat_url": url, "heartbeat_url_seconds": 0.2})
    async with open_service(changed):
        found = await requests_to(receiver, "/pulse", 2)
    assert {received.method for received in found} == {"GET"}
