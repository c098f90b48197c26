"""Health and metrics of the distributed mode: each fault is reported within seconds, and so is its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from testkit import servers
from testkit.cluster import Cluster, cluster_on
from testkit.gate import Gate
from testkit.observer import Observer, start_api

from scheduler_service.cli.devstack_servers import ask_valkey


@pytest.fixture
async def gate(migrated_postgres_url: str) -> AsyncIterator[Gate]:
    async with Gate(urlsplit(migrated_postgres_url).port or 0) as gate:
        yield gate


@pytest.mark.long
async def test_each_fault_and_its_end_are_reported_within_seconds(
    migrated_postgres_url: str, gate: Gate, tmp_path: Path
) -> None:
    """All faults share one cluster, because its start takes longer than the detection of a fault."""
    with servers.valkey() as redis_url, cluster_on(migrated_postgres_url, f"{redis_url}/0", tmp_path) as cluster:
        *_, observer = await asyncio.gather(cluster.start_beat(), cluster.start_worker(), start_api(cluster, gate))
        for component in ("workers", "dispatcher", "database", "broker"):
            await observer.wait_for(component, "ok", code=200)

        await check_the_last_worker(cluster, observer)
        await check_the_last_dispatcher(cluster, observer)
        await check_the_database(gate, observer)
        await check_redis(redis_url, observer)
        await observer.close()


async def check_the_last_worker(cluster: Cluster, observer: Observer) -> None:
    assert await observer.metric("scheduler_workers", state="alive") == 1
    cluster.members[1].kill()
    await observer.wait_for("workers", "failing", code=503)
    assert await observer.metric("scheduler_workers", state="alive") == 0
    assert await observer.metric("scheduler_slots", state="free") == 0

    await cluster.start_worker()
    await observer.wait_for("workers", "ok", code=200)
    assert await observer.metric("scheduler_workers", state="alive") == 1


async def check_the_last_dispatcher(cluster: Cluster, observer: Observer) -> None:
    cluster.members[0].kill()
    await observer.wait_for("dispatcher", "failing", code=503)
    assert await observer.metric("scheduler_dispatcher_tick_age_seconds") > 3

    await cluster.start_beat()
    await observer.wait_for("dispatcher", "ok", code=200)
    assert await observer.metric("scheduler_dispatcher_tick_age_seconds") < 5


async def check_the_database(gate: Gate, observer: Observer) -> None:
    await gate.close()
    await observer.wait_for("database", "failing", code=503)
    assert await observer.metric("scheduler_database_up") == 0
    assert await observer.is_live(), "a database that is gone is no reason to kill the process"

    await gate.open()
    await observer.wait_for("database", "ok", code=200)
    assert await observer.metric("scheduler_database_up") == 1


async def check_redis(redis_url: str, observer: Observer) -> None:
    """Check that health is degraded, because work continues without Redis."""
    ask_valkey(f"{redis_url}/0", "SHUTDOWN NOSAVE")
    await observer.wait_for("broker", "degraded", code=200)
    assert await observer.metric("scheduler_broker_up") == 0

    with servers.valkey(urlsplit(redis_url).port):
        await observer.wait_for("broker", "ok", code=200)
        assert await observer.metric("scheduler_broker_up") == 1
