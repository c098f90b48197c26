"""Deliveries are sent until they arrive or are given up, whatever the receiver does."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.database_fixtures import ON_SQLITE
from tests.engine.conftest import create, run_to_its_end
from tests.features.alerts.receiver import Receiver, busy, drip, fail, hang, redirect
from tests.features.alerts.steps import add_rule, delivered, requests_to, shell

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.features.alerts import sender
from scheduler_service.features.alerts.service import AlertService


@ON_SQLITE
@pytest.mark.parametrize(("kind", "script"), [("failure", "exit 3"), ("too_long", "sleep 60")])
async def test_delivery_is_sent_as_soon_as_it_is_stored(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, kind: str, script: str
) -> None:
    monkeypatch.setattr(sender, "CHECK_SECONDS", 3600.0)
    async with open_service(settings) as service:
        made = await add_rule(service, f"{receiver.url}/hook", kind, too_long_seconds=1)
        job = await create(service, shell(script))
        run = await service.jobs.run(ADMIN, job.id)
        await delivered(service, made)
        if kind == "too_long":
            await service.runs.cancel(ADMIN, run.id)


@ON_SQLITE
async def test_delivery_is_sent_as_soon_as_another_finishes(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(sender, "CONCURRENCY", 4)
    async with open_service(settings) as service:
        many = [await add_rule(service, f"{receiver.url}/hook", "failure") for _ in range(sender.CONCURRENCY + 1)]
        await run_to_its_end(service, shell("exit 3"))
        for made in many:
            await delivered(service, made)


@pytest.mark.usefixtures("hurry")
async def test_bad_receivers_are_retried_and_block_no_worker_slot(settings: Settings, receiver: Receiver) -> None:
    receiver.behaviours = {
        "/fails": iter([fail, fail]),
        "/hangs": iter([hang]),
        "/drips": iter([drip]),
        "/redirects": iter([redirect(f"{receiver.url}/elsewhere")]),
    }
    async with open_service(settings.model_copy(update={"slots": 1})) as service:
        rules = [await add_rule(service, receiver.url + path, "failure") for path in receiver.behaviours]
        await run_to_its_end(service, shell("exit 1"))
        await asyncio.gather(*(requests_to(receiver, path, 1) for path in receiver.behaviours))
        # While two of them are held up, the only slot works.
        assert (await run_to_its_end(service, shell("true"))).view.run.status is RunStatus.SUCCESS
        for made in rules:
            await delivered(service, made)

    assert {path: len(receiver.of(path)) for path in receiver.behaviours} == {
        "/fails": 3, "/hangs": 2, "/drips": 2, "/redirects": 2,
    }  # fmt: skip
    assert not receiver.of("/elsewhere"), "a redirect leads past the guard"
    for path in receiver.behaviours:
        assert len({received.headers["x-scheduler-delivery"] for received in receiver.of(path)}) == 1


@ON_SQLITE
async def test_hanging_receivers_do_not_delay_one_that_answers(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = [f"/hangs-{number}" for number in range(6)]
    monkeypatch.setattr(sender, "CONCURRENCY", len(hanging) + 1)
    monkeypatch.setattr(sender, "FIRST_DELAY_SECONDS", 0.1)
    receiver.behaviours = {path: chain(repeat(fail, sender.MAX_PER_RULE), repeat(hang)) for path in hanging}
    for path in hanging:
        made = await add_rule(service, receiver.url + path, "failure")
        for _ in range(sender.MAX_PER_RULE):
            await service.feature(AlertService).test(ADMIN, made.id)
    good = await add_rule(service, f"{receiver.url}/good", "failure")
    in_the_end = sender.MAX_PER_RULE + 1
    await asyncio.gather(*(requests_to(receiver, path, in_the_end) for path in hanging))

    await service.feature(AlertService).test(ADMIN, good.id)
    await delivered(service, good)

    assert [len(receiver.of(path)) for path in hanging] == [in_the_end] * len(hanging), "each hangs, in one place"


def test_tries_are_spread_over_one_to_two_hours() -> None:
    waits = [sender.delay_seconds(tries) for tries in range(1, sender.MAX_TRIES)]
    assert 1.5 <= waits[0] <= 2
    assert waits == sorted(waits) or max(waits) <= sender.MAX_DELAY_SECONDS
    assert timedelta(hours=1) < timedelta(seconds=sum(waits)) < timedelta(hours=2)


@ON_SQLITE
async def test_next_try_waits_when_the_receiver_sends_retry_after(service: Service, receiver: Receiver) -> None:
    receiver.behaviours = {"/busy": iter([busy("600")]), "/until": iter([busy("Fri, 01 Jan 2100 00:00:00 GMT")])}
    for path, least_seconds in (("/busy", 590), ("/until", 890)):
        made = await add_rule(service, receiver.url + path, "failure")
        await service.feature(AlertService).test(ADMIN, made.id)

        async def postponed() -> datetime | None:
            (found,) = await service.feature(AlertService).deliveries(ADMIN, made.id)  # noqa: B023 (called at once)
            return found.next_try_at if found.error == "the receiver answered 429" else None

        next_try_at = await eventually(postponed)
        assert least_seconds < (next_try_at - datetime.now(UTC)).total_seconds() < 910


async def test_pending_delivery_fails_when_its_rule_is_disabled(service: Service, receiver: Receiver) -> None:
    receiver.behaviours = {"/hook": repeat(fail)}
    made = await add_rule(service, f"{receiver.url}/hook", "failure")
    await service.feature(AlertService).test(ADMIN, made.id)
    await requests_to(receiver, "/hook", 1)
    await service.feature(AlertService).patch(ADMIN, made.id, {"enabled": False})

    (found,) = await service.feature(AlertService).deliveries(ADMIN, made.id)
    assert (found.status, found.error) == ("failed", "the rule was disabled")


@pytest.mark.usefixtures("hurry")
async def test_delivery_is_sent_by_the_next_process_after_a_stop(settings: Settings, receiver: Receiver) -> None:
    receiver.behaviours = {"/hook": iter([hang, fail])}
    async with open_service(settings) as service:
        made = await add_rule(service, f"{receiver.url}/hook", "failure")
        await run_to_its_end(service, shell("exit 1"))
        await requests_to(receiver, "/hook", 1)
    async with open_service(settings) as service:
        await delivered(service, made, sender.LEASE_SECONDS / 2)
    assert len({received.headers["x-scheduler-delivery"] for received in receiver.of("/hook")}) == 1


async def test_test_of_a_rule_is_sent_like_an_alert(service: Service, receiver: Receiver) -> None:
    made = await add_rule(service, f"{receiver.url}/hook", "failure")
    await service.feature(AlertService).test(ADMIN, made.id)
    (received,) = await requests_to(receiver, "/hook", 1)
    assert received.json["kind"] == "test"


@ON_SQLITE
async def test_every_address_of_a_host_is_tried(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with ::1 in front, where only 127.0.0.1 is listened at."""
    port = int(receiver.url.rpartition(":")[2])
    found = [(socket.AF_INET6, 0, 0, "", ("::1", port, 0, 0)), (socket.AF_INET, 0, 0, "", ("127.0.0.1", port))]

    async def both(*_: object, **__: object) -> list[Any]:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    made = await add_rule(service, f"http://localhost:{port}/hook", "failure")
    await service.feature(AlertService).test(ADMIN, made.id)
    await delivered(service, made)
    assert [received.headers["host"] for received in receiver.of("/hook")] == [f"localhost:{port}"]


@ON_SQLITE
async def test_delivery_fails_when_its_address_may_not_be_reached(settings: Settings, receiver: Receiver) -> None:
    async with open_service(settings.model_copy(update={"alert_reach": "public"})) as service:
        made = await add_rule(service, f"{receiver.url}/hook", "failure")
        await service.feature(AlertService).test(ADMIN, made.id)

        async def given_up() -> bool:
            (found,) = await service.feature(AlertService).deliveries(ADMIN, made.id)
            return found.status == "failed" and "SCHEDULER_ALERT_REACH" in (found.error or "")

        await eventually(given_up)
    assert not receiver.received
