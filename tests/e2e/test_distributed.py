"""The distributed setting, in real processes, while all is well."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
from tests.databases import A_JOB
from tests.e2e.cluster import Client, Cluster
from tests.soon import create_soon
from tests.waiting import eventually

from scheduler_service.cli.trial_servers import free_port
from scheduler_service.errors import InvalidInputError
from scheduler_service.storage.tables import jobs

MINUTE = timedelta(minutes=1)


async def test_five_dispatchers_fire_each_of_2000_jobs_of_one_minute_once(cluster: Cluster, client: Client) -> None:
    for _ in range(5):
        cluster.start("celery", "-A", "src.app.celery_app", "beat")
    for beat in cluster.members:
        await cluster.says(beat, "dispatcher_started")
    minute = datetime.now(UTC).replace(second=0, microsecond=0)

    async with client.database.write() as connection:
        await connection.execute(jobs.insert(), [{**A_JOB, "next_run_at": minute}] * 2000)

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


async def test_a_job_that_is_created_to_fire_in_a_second_begins_on_time(cluster: Cluster, client: Client) -> None:
    await asyncio.gather(cluster.start_beat(), cluster.start_beat(), cluster.start_worker())

    async def three_began_on_time() -> bool:
        # More than three have a chance, so that a machine that has other things to do is no failure.
        await create_soon(lambda instant: client.create("true", schedule_expr=instant), InvalidInputError)
        return await client.count("lateness_seconds BETWEEN 0 AND 0.25") >= 3

    await eventually(three_began_on_time, pause_seconds=0.5)

    assert await client.count("scheduled_for > started_at") == 0


async def test_flower_lists_the_task_of_a_run_by_the_runs_id(cluster: Cluster, client: Client) -> None:
    port = free_port()
    flower = cluster.start(
        "celery", "-A", "src.app.celery_app", "flower", FLOWER_PORT=str(port), FLOWER_BASIC_AUTH="me:secret"
    )
    worker = await cluster.start_worker()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=("me", "secret"), verify=False) as browser:

        async def sees_the_worker() -> bool:
            assert flower.process.poll() is None, flower.log
            try:
                return (await browser.get("/api/workers", params={"status": "true"})).text.count("true") == 1
            except httpx2.TransportError:
                return False

        await eventually(sees_the_worker)
        (run_id,) = await client.run(await client.create("true"))
        await client.until(run_id, "success")

        async def task() -> dict[str, object] | None:
            answer = await browser.get(f"/api/task/info/run-{run_id}-1")
            return answer.json() if answer.status_code == 200 and answer.json()["state"] == "SUCCESS" else None

        seen = await eventually(task)
        anybody = await browser.get("/api/tasks", auth=("me", "wrong"))

    assert (seen["name"], seen["args"]) == ("scheduler.execute_run", f"({run_id}, 0)")
    # On a busy machine the worker may have found the run in the database before its ring came through.
    assert seen["result"] in {"'executed'", "'not to be had'"}
    assert anybody.status_code == 401
    assert worker.stop() == 0
    assert flower.stop() == 0


async def test_a_worker_with_tags_takes_those_runs_and_the_others_leave_them_to_it(
    cluster: Cluster, client: Client
) -> None:
    cluster.environment["SCHEDULER_RESERVED_TAGS"] = "gpu"
    anything, gpu = await asyncio.gather(cluster.start_worker(), cluster.start_worker(SCHEDULER_WORKER_TAGS="gpu"))
    rendering, mailing = await client.create("true", tags=["night", "gpu"]), await client.create("true", tags=["night"])

    await client.run(rendering, 10)
    await client.run(mailing, 10)
    await client.until_all_succeeded(20)

    query = "SELECT DISTINCT job_id, pid FROM runs JOIN workers ON workers.id = worker_id"
    assert set(await client.ask(query)) == {(rendering, gpu.pid), (mailing, anything.pid)}
