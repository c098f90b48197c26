"""Health and metrics of the distributed setting: each fault is told within seconds, and so is its end."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests import servers
from tests.e2e.cluster import PATIENCE_SECONDS, Cluster, cluster_on
from tests.e2e.gate import Gate

from scheduler_service.cli.trial_servers import ask_valkey, free_port

# Five are promised; the machine of a test has other things to do.
TRUTH_SECONDS = 5.0 + 5.0


class Observer:
    """Somebody who asks the API of a cluster."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.AsyncClient(base_url=url, timeout=10)

    async def started(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    await self._client.get("/health/live")
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def told(self, component: str, status: str, *, code: int, within: float = TRUTH_SECONDS) -> float:
        """Wait for a component to be told as that; gives the seconds that it took."""
        begun_at, document = time.monotonic(), {}
        while time.monotonic() - begun_at < within:
            answer = await self._client.get("/health/ready")
            document = answer.json()
            told = document["components"].get(component, {}).get("status")
            if (told, answer.status_code) == (status, code):
                return time.monotonic() - begun_at
            await asyncio.sleep(0.1)
        raise AssertionError(document)

    async def figure(self, name: str, **labels: str) -> float:
        text = (await self._client.get("/metrics")).raise_for_status().text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next(sample.value for sample in samples if sample.name == name and sample.labels == labels)

    async def lives(self) -> bool:
        return (await self._client.get("/health/live")).status_code == 200

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def gate(migrated_postgres_url: str) -> AsyncIterator[Gate]:
    async with Gate(urlsplit(migrated_postgres_url).port or 0) as gate:
        yield gate


async def start_api(cluster: Cluster, gate: Gate | None = None) -> Observer:
    url = cluster.environment["DATABASE_URL"]
    if gate is not None:
        url = re.sub(r":\d+/", f":{gate.port}/", url)
    port = str(free_port())
    cluster.start("uvicorn", "src.app.main:app", "--port", port, DATABASE_URL=url)
    observer = Observer(f"http://127.0.0.1:{port}")
    await observer.started()
    return observer


async def test_the_last_worker_dies_and_another_comes(cluster: Cluster) -> None:
    await cluster.start_beat()
    worker = await cluster.start_worker()
    observer = await start_api(cluster)
    await observer.told("workers", "ok", code=200)
    assert await observer.figure("scheduler_workers", state="alive") == 1

    worker.kill()
    await observer.told("workers", "failing", code=503)
    assert await observer.figure("scheduler_workers", state="alive") == 0
    assert await observer.figure("scheduler_slots", state="free") == 0

    await cluster.start_worker()
    await observer.told("workers", "ok", code=200)
    assert await observer.figure("scheduler_workers", state="alive") == 1
    await observer.close()


async def test_the_last_dispatcher_dies_and_another_comes(cluster: Cluster) -> None:
    beat = await cluster.start_beat()
    await cluster.start_worker()
    observer = await start_api(cluster)
    await observer.told("dispatcher", "ok", code=200)

    beat.kill()
    await observer.told("dispatcher", "failing", code=503)
    assert await observer.figure("scheduler_dispatcher_tick_age_seconds") > 3

    await cluster.start_beat()
    await observer.told("dispatcher", "ok", code=200)
    assert await observer.figure("scheduler_dispatcher_tick_age_seconds") < 5
    await observer.close()


async def test_the_database_goes_and_comes_back(cluster: Cluster, gate: Gate) -> None:
    await cluster.start_beat()
    await cluster.start_worker()
    observer = await start_api(cluster, gate)
    await observer.told("database", "ok", code=200)

    await gate.close()
    await observer.told("database", "failing", code=503)
    assert await observer.figure("scheduler_database_up") == 0
    assert await observer.lives(), "a database that is gone is no reason to kill the process"

    await gate.open()
    await observer.told("database", "ok", code=200)
    assert await observer.figure("scheduler_database_up") == 1
    await observer.close()


async def test_redis_goes_which_only_degrades_and_comes_back(migrated_postgres_url: str, tmp_path: Path) -> None:
    with servers.valkey() as url, cluster_on(migrated_postgres_url, f"{url}/0", tmp_path) as cluster:
        await cluster.start_beat()
        await cluster.start_worker()
        observer = await start_api(cluster)
        await observer.told("broker", "ok", code=200)

        ask_valkey(f"{url}/0", "SHUTDOWN NOSAVE")
        await observer.told("broker", "degraded", code=200)
        assert await observer.figure("scheduler_broker_up") == 0

        with servers.valkey(urlsplit(url).port):
            await observer.told("broker", "ok", code=200)
            assert await observer.figure("scheduler_broker_up") == 1
        await observer.close()
