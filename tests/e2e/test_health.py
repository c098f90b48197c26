"""Health and metrics of the distributed setting: each fault is told within seconds, and so is its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests import servers
from tests.e2e.cluster import Cluster, cluster_on
from tests.e2e.gate import Gate
from tests.e2e.observer import start_api

from scheduler_service.cli.trial_servers import ask_valkey


@pytest.fixture
async def gate(migrated_postgres_url: str) -> AsyncIterator[Gate]:
    async with Gate(urlsplit(migrated_postgres_url).port or 0) as gate:
        yield gate


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
