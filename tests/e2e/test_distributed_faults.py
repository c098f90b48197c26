"""The distributed mode in real processes, while parts of it fail, stop or are replaced."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from testkit import servers
from testkit.callers import ADMIN
from testkit.cluster import Client, Cluster, client_of
from testkit.waiting import eventually

from scheduler_service.cli.devstack_servers import ask_valkey, free_port


async def test_no_instant_is_missed_when_one_of_two_beats_dies(cluster: Cluster, client: Client) -> None:
    doomed, _ = await asyncio.gather(cluster.start_beat(), cluster.start_beat())
    for _ in range(10):
        await client.create("true", schedule_expr="* * * * * *")
    await _until_fired(client, 20)

    doomed.kill()
    at_death = await client.count("true")
    await _until_fired(client, at_death + 30)

    rows = await client.ask("SELECT job_id, scheduled_for, status, queued_at FROM runs ORDER BY job_id, scheduled_for")
    assert {row.status for row in rows} == {"queued"}
    neighbours = [(one, next_) for one, next_ in pairwise(rows) if one.job_id == next_.job_id]
    assert {next_.scheduled_for - one.scheduled_for for one, next_ in neighbours} == {timedelta(seconds=1)}
    assert max(row.queued_at - row.scheduled_for for row in rows) < timedelta(seconds=3)


async def test_run_of_a_killed_worker_is_executed_by_another(cluster: Cluster, client: Client) -> None:
    cluster.environment |= {"SCHEDULER_WORKER_DEAD_SECONDS": "2", "SCHEDULER_HEARTBEAT_SECONDS": "0.5"}
    _, *workers = await asyncio.gather(cluster.start_beat(), cluster.start_worker(), cluster.start_worker())
    job_id = await client.create("[ $SCHEDULER_ATTEMPT = 2 ] || sleep 300")
    (run_id,) = await client.run(job_id)
    first = await client.until(run_id, "running")

    await _kill_the_worker_of(run_id, client, cluster)
    last = await client.until(run_id, "success")

    assert last.attempt == 2
    assert last.worker_id != first.worker_id
    attempts = (await client.service.runs.get(ADMIN, run_id)).attempts
    assert [(attempt.status, attempt.reason) for attempt in attempts] == [("failed", "worker_lost"), ("success", None)]
    assert sum(worker.process.poll() is None for worker in workers) == 1


@pytest.mark.long
async def test_queued_runs_are_executed_in_time_when_redis_is_flushed(cluster: Cluster, client: Client) -> None:
    await cluster.start_worker()
    job_id = await client.create("sleep 0.02")

    undisturbed_seconds = await _seconds_of_100_runs(client, job_id, total=100)
    flushed_seconds = await _seconds_of_100_runs(client, job_id, total=200, flushed=cluster.environment["REDIS_URL"])

    assert flushed_seconds <= undisturbed_seconds + 5


@pytest.mark.long
async def test_no_run_is_lost_when_workers_are_replaced_under_load(
    cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    old = await asyncio.gather(cluster.start_worker(), cluster.start_worker())
    job_id = await client.create(f"sleep 0.05; echo $SCHEDULER_RUN_ID >> {effects}")

    load = asyncio.create_task(client.run(job_id, 200))
    exits = []
    for worker in old:
        await cluster.start_worker()
        exits.append(await asyncio.to_thread(worker.stop))
    run_ids = await load
    await client.until_all_succeeded(200)

    assert exits == [0, 0]
    assert sorted(map(int, effects.read_text().split())) == sorted(run_ids)
    assert await client.count("attempt = 1") == 200


async def test_stopped_worker_requeues_runs_that_outlast_the_drain(cluster: Cluster, client: Client) -> None:
    cluster.environment |= {"SCHEDULER_DRAIN_SECONDS": "0.5"}
    _, worker = await asyncio.gather(cluster.start_beat(), cluster.start_worker())
    (run_id,) = await client.run(await client.create("[ $SCHEDULER_ATTEMPT = 2 ] || sleep 300"))
    await client.until(run_id, "running")

    before = time.monotonic()
    assert await asyncio.to_thread(worker.stop) == 0
    assert time.monotonic() - before < 30  # the run would last 300
    await cluster.start_worker()

    assert (await client.until(run_id, "success")).attempt == 2


@pytest.mark.long
async def test_runs_continue_while_redis_is_down(cluster: Cluster) -> None:
    with servers.valkey() as url:
        cluster.environment["REDIS_URL"] = f"{url}/0"
        async with client_of(cluster) as client:
            _, worker = await asyncio.gather(cluster.start_beat(), cluster.start_worker())
            job_id = await client.create("true")
            (before,) = await client.run(job_id)
            await client.until(before, "success")
            port = int(url.rpartition(":")[2])

            ask_valkey(f"{url}/0", "SHUTDOWN NOSAVE")
            asked_at = time.monotonic()
            (meanwhile,) = await client.run(job_id)
            answered_seconds = time.monotonic() - asked_at
            await client.create("true", schedule_expr="1s")
            await client.until(meanwhile, "success")
            await client.until_all_succeeded(3)
            assert answered_seconds < 1
            assert f"run-{meanwhile}-1" not in worker.log

            with servers.valkey(port):
                await cluster.says(worker, "Connected to redis", times=2)
                (after,) = await client.run(job_id)
                await client.until(after, "success")
                await cluster.says(worker, f"run-{after}-1")


async def test_worker_and_beat_wait_for_the_database_at_start(cluster: Cluster, client: Client) -> None:
    url = urlsplit(cluster.environment["DATABASE_URL"])
    port = free_port()
    cluster.environment["DATABASE_URL"] = url._replace(
        netloc=f"{url.username}:{url.password}@127.0.0.1:{port}"
    ).geturl()
    beat, worker = (cluster.start("celery", "-A", "src.app.celery_app", role) for role in ("beat", "worker"))
    await cluster.says(beat, "loop_stalled")
    await cluster.says(worker, "start_delayed", times=2)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(url.hostname, url.port)
        await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

    async with await asyncio.start_server(forward, "127.0.0.1", port):
        await client.create("true", schedule_expr="1s")
        await client.until_all_succeeded(1)
        codes = await asyncio.gather(asyncio.to_thread(beat.stop), asyncio.to_thread(worker.stop))
    assert set(codes) == {0}


async def test_worker_and_beat_can_be_stopped_while_they_wait(cluster: Cluster) -> None:
    cluster.environment["DATABASE_URL"] = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    beat, worker = (cluster.start("celery", "-A", "src.app.celery_app", role) for role in ("beat", "worker"))
    await cluster.says(beat, "loop_stalled")
    await cluster.says(worker, "start_delayed")

    codes = await asyncio.gather(asyncio.to_thread(beat.stop), asyncio.to_thread(worker.stop))
    assert set(codes) == {0}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _until_fired(client: Client, number: int) -> None:
    async def look() -> bool:
        return await client.count("true") >= number

    await eventually(look)


async def _kill_the_worker_of(run_id: int, client: Client, cluster: Cluster) -> None:
    query = "SELECT pid FROM runs JOIN workers ON workers.id = worker_id WHERE runs.id = :run_id"
    ((pid,),) = await client.ask(query, run_id=run_id)
    next(member for member in cluster.members if member.pid == pid).kill()


async def _seconds_of_100_runs(client: Client, job_id: int, total: int, flushed: str | None = None) -> float:
    begun_at = time.monotonic()
    await client.run(job_id, 100)
    if flushed:
        ask_valkey(flushed, "FLUSHALL")
    await client.until_all_succeeded(total)
    return time.monotonic() - begun_at
