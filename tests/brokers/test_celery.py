"""The broker on Redis: what a message carries, in which order, and what happens without Redis."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from testkit.waiting import eventually

from scheduler_service.brokers import celery, message
from scheduler_service.brokers.celery import CeleryBroker
from scheduler_service.cli.devstack_servers import ask_valkey
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.routing import Routing
from scheduler_service.domain.run_notice import RunNotice

HIGH, NORMAL, LOW = (
    RunNotice(number, 0, priority, f"id-{number}") for number, priority in enumerate((9, 5, 0), start=1)
)


def settings_for(redis_url: str, tmp_path: Path, **changes: Any) -> Settings:
    return load_settings(
        database_url="postgresql+asyncpg://nowhere/none", redis_url=redis_url, data_dir=tmp_path, **changes
    )


@pytest.fixture
async def broker(redis_url: str, tmp_path: Path) -> AsyncIterator[CeleryBroker]:
    broker = CeleryBroker(celery.create(settings_for(redis_url, tmp_path)), Routing(reserved=("gpu", "night")))
    yield broker
    await broker.close()


async def messages(redis_url: str, queue: str, number: int) -> list[dict[str, Any]]:
    """Wait for messages in a queue, and return them in the order in which workers take them."""

    async def all_are_there() -> bool:
        return ask_valkey(redis_url, f"LLEN {queue}") == [f":{number}"]

    await eventually(all_are_there)
    lines = ask_valkey(redis_url, f"LRANGE {queue} 0 -1")
    return [json.loads(line) for line in reversed(lines) if line.startswith("{")]


async def test_notice_becomes_a_message_of_ids_only(broker: CeleryBroker, redis_url: str) -> None:
    await broker.send([RunNotice(17, 2, 5, "the-id")])

    (sent,) = await messages(redis_url, "runs.normal", 1)
    headers, body = sent["headers"], json.loads(base64.b64decode(sent["body"]))
    assert (headers["task"], headers["id"]) == ("scheduler.execute_run", "run-17-3")
    assert headers[message.CORRELATION_HEADER] == "the-id"
    assert body[:2] == [[17, 2], {}]
    assert (headers["eta"], headers["expires"], headers["retries"]) == (None, None, 0)
    assert message.TRACE_HEADER not in headers, "nobody traces"


async def test_message_carries_the_trace_context_as_traceparent(broker: CeleryBroker, redis_url: str) -> None:
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await broker.send([RunNotice(17, 2, 5, "the-id", trace_parent=context)])

    (message,) = await messages(redis_url, "runs.normal", 1)
    assert message["headers"]["traceparent"] == context


async def test_notice_goes_to_the_queue_of_its_priority(broker: CeleryBroker, redis_url: str) -> None:
    await broker.send([LOW, NORMAL, HIGH])

    for notice, queue in ((HIGH, "runs.high"), (NORMAL, "runs.normal"), (LOW, "runs.low")):
        (message,) = await messages(redis_url, queue, 1)
        assert message["headers"]["id"] == f"run-{notice.run_id}-1"


@pytest.mark.parametrize(
    ("tags", "queue"),
    [
        (("gpu",), "runs.gpu.normal"),
        (("other", "night"), "runs.night.normal"),
        (("night", "gpu"), "runs.gpu.normal"),
        (("other",), "runs.normal"),
    ],
)
async def test_notice_of_a_reserved_tag_goes_to_its_queue(
    broker: CeleryBroker, redis_url: str, tags: tuple[str, ...], queue: str
) -> None:
    await broker.send([RunNotice(1, 0, 5, "id", tags)])

    assert len(await messages(redis_url, queue, 1)) == 1


async def test_message_arrives_after_redis_was_flushed(broker: CeleryBroker, redis_url: str) -> None:
    await broker.send([NORMAL])
    await messages(redis_url, "runs.normal", 1)

    ask_valkey(redis_url, "FLUSHDB")
    await broker.send([NORMAL])

    assert len(await messages(redis_url, "runs.normal", 1)) == 1


@pytest.mark.parametrize("is_silent", [True, False])
async def test_send_returns_at_once_when_redis_is_unreachable(tmp_path: Path, *, is_silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        if not is_silent:
            nobody.close()
        broker = CeleryBroker(celery.create(settings_for(url, tmp_path)), Routing())
        before = time.monotonic()

        for _ in range(100):
            await broker.send([HIGH, NORMAL, LOW] * 10)
        sent_seconds = time.monotonic() - before
        await broker.close()

    assert sent_seconds < 1
    assert time.monotonic() - before < celery.CLOSE_SECONDS + 5


async def test_pending_notices_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "MAX_PENDING", 2)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        broker = CeleryBroker(celery.create(settings_for(url, tmp_path)), Routing())

        await broker.send([HIGH, NORMAL, LOW])
        await broker.send([HIGH])

        assert broker.pending == 2
        await broker.close()


async def test_queue_has_no_more_messages_than_wake_its_workers(
    broker: CeleryBroker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery, "WINDOW", 3)
    await broker.send([RunNotice(number, 0, 5, "id") for number in range(2)])
    await broker.send([HIGH, *(RunNotice(number, 0, 5 + number % 2, "id") for number in range(2, 10))])

    sent = await messages(redis_url, "runs.normal", 3)
    assert [message["headers"]["id"] for message in sent] == ["run-0-1", "run-1-1", "run-3-1"], "the most urgent one"
    assert len(await messages(redis_url, "runs.high", 1)) == 1


def test_worker_reads_its_queues_by_priority(tmp_path: Path) -> None:
    anything = celery.queues(settings_for("redis://nowhere", tmp_path, reserved_tags="gpu"))
    tagged = celery.queues(settings_for("redis://nowhere", tmp_path, worker_tags="gpu, night"))

    assert [queue.name for queue in anything] == ["runs.high", "runs.normal", "runs.low"]
    assert [queue.name for queue in tagged] == [
        "runs.gpu.high", "runs.night.high", "runs.gpu.normal", "runs.night.normal", "runs.gpu.low", "runs.night.low"
    ]  # fmt: skip


def test_options_that_repeat_tasks_on_redis_are_off(tmp_path: Path) -> None:
    conf = celery.create(settings_for("redis://nowhere", tmp_path, slots=3)).conf

    assert not conf.task_acks_late
    assert conf.task_ignore_result
    assert conf.result_backend is None
    assert conf.accept_content == ["json"]
    assert (conf.worker_prefetch_multiplier, conf.worker_concurrency, conf.worker_pool) == (1, 3, "threads")
    assert conf.broker_connection_max_retries is None
