"""Runs a second from the queue to the ledger, with PostgreSQL and Valkey, against what does less.

The numpy example goes through a worker of two slots, its output to the log, against `subprocess.run` alone. A run of
nothing (in an empty sandbox, but claimed and finished as any) goes through a worker, against a task of nothing in plain
Celery on the same Valkey. The messages wait before a worker starts, and its start is not counted.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.sandbox import PI, as_process, throughput
from benchmarks.shared.plain_celery import FIRST, LAST, nothing
from benchmarks.shared.reports import Report, machine_facts, options
from celery import Celery
from redis import Redis
from testkit import servers
from testkit.cluster import ROOT, Client, Cluster, client_of, cluster_on
from testkit.databases import migrate
from testkit.programs import FOLDER, execute
from testkit.waiting import eventually

SLOTS_OF_PI, SLOTS_OF_NOTHING = 2, 4
NAIVE_RUNS = 10
ALONE = ("--without-mingle", "--without-gossip", "--loglevel", "WARNING")


async def drain_runs(client: Client, cluster: Cluster, application: str, code: str, slots: int, count: int) -> float:
    """Queue so many runs, start a worker, and return the runs a second from the first start to the last end."""
    job = await client.create("", payload={"type": "python_code", "code": code})
    await client.run(job, count)
    worker = cluster.start("celery", "-A", application, "worker", *ALONE, SCHEDULER_SLOTS=str(slots))
    await eventually(lambda: has_succeeded(client, job, count))
    worker.stop()
    ((seconds,),) = await client.ask(
        "SELECT EXTRACT(epoch FROM max(finished_at) - min(started_at)) FROM runs WHERE job_id = :job", job=job
    )
    return count / float(seconds)


async def has_succeeded(client: Client, job: int, count: int) -> bool:
    """Whether all runs of a job have; ends the program if one has failed."""
    if await client.count("job_id = :job AND status = 'failed'", job=job):
        raise SystemExit("a run has failed")
    return await client.count("job_id = :job AND status = 'success'", job=job) == count


async def drain_tasks(url: str, slots: int, count: int) -> float:
    """Do the same with Celery alone; returns tasks a second."""
    with Celery(broker=url) as sender, Redis.from_url(url) as notes:
        notes.delete(FIRST, LAST)
        for number in range(count):
            sender.send_task(nothing.name, (number, count))
        worker = start_plain_worker(url, slots)
        await eventually(lambda: asyncio.to_thread(notes.exists, LAST))
        worker.terminate()
        await asyncio.to_thread(worker.wait)
        first, last = (float(notes.get(key) or 0) for key in (FIRST, LAST))
    return count / (last - first)


def start_plain_worker(url: str, slots: int) -> subprocess.Popen[bytes]:
    words = ("-A", "benchmarks.shared.plain_celery", "worker", "--pool", "threads", "--concurrency", str(slots))
    return subprocess.Popen(
        [FOLDER / "celery", *words, *ALONE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CELERY_BROKER_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def measure(report: Report, cluster: Cluster, plain_url: str, rounds: int, runs: int) -> None:
    """Alternate all four."""
    pi = cluster.directory / "pi.py"
    pi.write_text(PI)
    naive = as_process(sys.executable, str(pi))
    examples, nothings = [], []
    await migrate(cluster.environment["DATABASE_URL"])
    async with client_of(cluster) as client:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", file=sys.stderr)
            ours = await drain_runs(client, cluster, "src.app.celery_app", PI, SLOTS_OF_PI, runs)
            examples.append((await throughput(naive, 1, NAIVE_RUNS), ours))
            ours = await drain_runs(
                client, cluster, "benchmarks.shared.empty_sandbox", "pass", SLOTS_OF_NOTHING, 2 * runs
            )
            nothings.append((await drain_tasks(plain_url, SLOTS_OF_NOTHING, 2 * runs), ours))
    enter(report, "the numpy example", "subprocess.run, one after the other", examples, 20)
    enter(report, "nothing", "a task in Celery alone", nothings, 0.8)


def enter(report: Report, group: str, other: str, pairs: list[tuple[float, float]], at_least: float) -> None:
    report.add(group, other, "/s", [theirs for theirs, _ in pairs])
    report.add(group, "a run, with database and logs", "/s", [ours for _, ours in pairs])
    report.add(group, "ratio", "", [ours / theirs for theirs, ours in pairs], at_least=at_least)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "queue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "runs": arguments.runs} | machine_facts())
    with (
        servers.postgres() as postgres,
        servers.valkey() as valkey,
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base,
        cluster_on(postgres.create_database(), f"{valkey}/0", Path(base), execute, SCHEDULER_SANDBOX="auto") as cluster,
    ):
        Path(base).chmod(0o711)
        asyncio.run(measure(report, cluster, f"{valkey}/1", arguments.rounds, arguments.runs))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
