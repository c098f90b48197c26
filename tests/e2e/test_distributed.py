"""The distributed mode in real processes, without faults."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import redis
from testkit.cluster import Client, Cluster, Member
from testkit.databases import A_JOB
from testkit.soon import create_soon
from testkit.waiting import DEADLINE_SECONDS, eventually

from scheduler_service.cli.devstack_servers import free_port
from scheduler_service.errors import InvalidInputError
from scheduler_service.storage.tables import jobs

MINUTE = timedelta(minutes=1)


async def test_five_dispatchers_fire_each_of_2000_due_jobs_once(cluster: Cluster, client: Client) -> None:
    for _ in range(5):
        cluster.start("celery", "-A", "src.app.celery_app", "beat")
    for beat in cluster.members:
        await cluster.says(beat, "dispatcher_started")
    minute = datetime.now(UTC).replace(second=0, microsecond=0)

    # The minute may be nearly over, and no instant is missed.
    row = {**A_JOB, "next_run_at": minute, "misfire_grace_seconds": 3600.0}
    async with client.database.write() as connection:
        await connection.execute(jobs.insert(), [row] * 2000)

    async def all_moved_on() -> bool:
        ((late,),) = await client.ask("SELECT count(*) FROM jobs WHERE next_run_at <= :minute", minute=minute)
        return bool(late == 0)

    await eventually(all_moved_on)
    assert await client.count("scheduled_for = :minute AND status = 'queued'", minute=minute) == 2000
    rows = await client.ask("SELECT scheduled_for, count(*), count(DISTINCT job_id) FROM runs GROUP BY 1 ORDER BY 1")
    assert rows[0] == (minute, 2000, 2000)
    # On a slow day the next minute begins during the test.
    assert all(
        instant == minute + n * MINUTE and of_runs == of_jobs for n, (instant, of_runs, of_jobs) in enumerate(rows)
    )


async def test_job_due_in_a_second_starts_on_time(cluster: Cluster, client: Client) -> None:
    await asyncio.gather(cluster.start_beat(), cluster.start_beat(), cluster.start_worker())

    async def three_began_on_time() -> bool:
        # More than three have a chance, so that a machine that has other things to do is no failure.
        await create_soon(lambda instant: client.create("true", schedule_expr=instant), InvalidInputError)
        return await client.count("lateness_seconds BETWEEN 0 AND 0.25") >= 3

    await eventually(three_began_on_time, pause_seconds=0.5)

    assert await client.count("scheduled_for > started_at") == 0


async def test_flower_shows_the_job_and_outcome_of_each_attempt(cluster: Cluster, client: Client) -> None:
    port = free_port()
    cluster.environment |= {"SCHEDULER_WORKER_DEAD_SECONDS": "2", "SCHEDULER_HEARTBEAT_SECONDS": "0.5"}
    flower = cluster.start(
        "celery", "-A", "src.app.celery_app", "flower",
        FLOWER_PORT=str(port), FLOWER_BASIC_AUTH="me:secret", LOG_LEVEL="WARNING", LOG_FORMAT="json",
    )  # fmt: skip
    _, worker = await asyncio.gather(cluster.start_beat(), cluster.start_worker())
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=("me", "secret"), verify=False) as browser:

        async def sees_the_worker() -> bool:
            assert flower.process.poll() is None, flower.log
            try:
                return (await browser.get("/api/workers", params={"status": "true"})).text.count("true") == 1
            except httpx2.TransportError:
                return False

        await eventually(sees_the_worker)
        retrying = {"retry_policy": {"max_retries": 1, "retry_delay": 0.1}}
        job_id = await client.create("[ $SCHEDULER_ATTEMPT = 2 ] || exit 3", name="Nightly <dump>", **retrying)
        (run_id,) = await client.run(job_id)
        await client.until(run_id, "success")

        async def tasks() -> dict[str, dict[str, object]] | None:
            seen: dict[str, dict[str, object]] = (await browser.get("/api/tasks")).json()
            return seen if seen.get(f"run-{run_id}-2", {}).get("state") == "SUCCESS" else None

        seen = await eventually(tasks)
        page = (await browser.get(f"/task/run-{run_id}-1")).text
        anybody = await browser.get("/api/tasks", auth=("me", "wrong"))
        lost = await _task_of_a_killed_worker(browser, client, worker)

    assert {name: (task["name"], task["state"]) for name, task in seen.items()} == {
        f"run-{run_id}-1": ("Nightly <dump>", "FAILURE"),
        f"run-{run_id}-2": ("Nightly <dump>", "SUCCESS"),
    }
    assert seen[f"run-{run_id}-1"]["exception"] == "exit_code: exit code 3"
    assert seen[f"run-{run_id}-2"]["result"] == "exit code 0"
    assert f"'job_id': {job_id}" in str(seen[f"run-{run_id}-1"]["kwargs"])
    assert f"/ui/runs/{run_id}'" in str(seen[f"run-{run_id}-2"]["kwargs"])
    assert "exit_code: exit code 3" in page
    assert "Nightly <dump>" not in page
    assert f'/ui/runs/{run_id}">http' in page
    assert (lost["name"], lost["state"]) == ("Endless", "FAILURE")
    assert lost["exception"] == "worker_lost: the worker that ran it was lost"
    assert anybody.status_code == 401
    assert flower.stop() == 0
    assert '"level": "info"' not in flower.log


async def _task_of_a_killed_worker(browser: httpx2.AsyncClient, client: Client, worker: Member) -> dict[str, object]:
    """Return what Flower shows of an attempt whose worker was killed, once the attempt is over."""
    (run_id,) = await client.run(await client.create("sleep 300", name="Endless"))
    await client.until(run_id, "running")

    async def task(*states: str) -> dict[str, object] | None:
        seen: dict[str, object] = (await browser.get("/api/tasks")).json().get(f"run-{run_id}-1", {})
        return seen if seen.get("state") in states else None

    assert await eventually(lambda: task("STARTED"))
    worker.kill()
    failed: dict[str, object] = await eventually(lambda: task("FAILURE"))
    return failed


JUNK = (
    "", "null", "17", "[]", "{}", "not JSON", '"text"', "\x00\x80\xff", "[" * 5000, '{"headers": 1, "properties": {}}',
    '{"headers": {"task": "another.task", "id": "1"}, "properties": {"delivery_tag": "1", "delivery_info": {}}}',
    "x" * 2_000_000,
)  # fmt: skip


BROADCASTS = ("null", "{}", '{"properties": {"delivery_tag": 1}, "headers": 3}', "[" * 5000)


async def test_worker_continues_when_its_queues_hold_junk(cluster: Cluster, client: Client) -> None:
    worker = await cluster.start_worker()
    job_id = await client.create("true")

    with redis.Redis.from_url(cluster.environment["REDIS_URL"]) as server:
        for number, item in enumerate(JUNK):
            server.lpush(("runs.high", "runs.normal", "runs.low")[number % 3], item.encode("latin-1"))
        database = cluster.environment["REDIS_URL"].rpartition("/")[2]
        for item in BROADCASTS:
            server.publish(f"/{database}.celery.pidbox", item)
        await client.run(job_id, 5)
        await client.until_all_succeeded(5)

        async def is_empty() -> bool:
            return not any(server.llen(f"runs.{urgency}") for urgency in ("high", "normal", "low"))

        await eventually(is_empty)

    async def counted() -> bool:
        metrics = await client.service.metrics.read()
        (dropped,) = [metric for metric in metrics if metric.name == "scheduler_messages_dropped"]
        return dropped.samples[0].value == len(JUNK) + len(BROADCASTS)

    await eventually(counted)
    assert "Unrecoverable" not in worker.log
    assert worker.stop() == 0


async def test_worker_has_the_slots_of_its_command_line(cluster: Cluster, client: Client) -> None:
    worker = cluster.start("celery", "-A", "src.app.celery_app", "worker", "-c", "8", "--without-mingle")
    await cluster.says(worker, " ready.")

    assert await client.ask("SELECT slots FROM workers") == [(8,)]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("celery -A src.app.celery_app worker -c 999", "--concurrency: 999 is not a number from 1 to 256"),
        ("celery -A src.app.celery_app worker --autoscale 8,2", "--autoscale: a worker has a fixed number of slots"),
        ("celery -A src.app.celery_app worker -P solo", "--pool: a worker uses threads"),
        ("scheduler worker", "SCHEDULER_DATA_DIR: cannot create '/dev/null/data'"),
        ("celery -A src.app.celery_app worker", "SCHEDULER_DATA_DIR: cannot create '/dev/null/data'"),
    ],
)
def test_worker_exits_with_2_when_it_cannot_start(cluster: Cluster, words: str, line: str) -> None:
    worker = cluster.start(*words.split(), SCHEDULER_DATA_DIR="/dev/null/data")

    assert worker.process.wait(DEADLINE_SECONDS) == 2, worker.log
    assert line in worker.log
    assert "Traceback" not in worker.log


async def test_runs_with_a_reserved_tag_go_only_to_its_worker(cluster: Cluster, client: Client) -> None:
    cluster.environment["SCHEDULER_RESERVED_TAGS"] = "gpu"
    anything, gpu = await asyncio.gather(cluster.start_worker(), cluster.start_worker(SCHEDULER_WORKER_TAGS="gpu"))
    rendering, mailing = await client.create("true", tags=["night", "gpu"]), await client.create("true", tags=["night"])

    await client.run(rendering, 10)
    await client.run(mailing, 10)
    await client.until_all_succeeded(20)

    query = "SELECT DISTINCT job_id, pid FROM runs JOIN workers ON workers.id = worker_id"
    assert set(await client.ask(query)) == {(rendering, gpu.pid), (mailing, anything.pid)}
