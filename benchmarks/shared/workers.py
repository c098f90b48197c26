"""Workers of an installation on PostgreSQL and Valkey, and those of plain Celery, and how fast they execute."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.shared.embedded_runs import EmbeddedSandbox
from benchmarks.shared.plain_celery import FIRST, LAST, nothing
from benchmarks.shared.processor_time import descendants_ms
from celery import Celery
from redis import Redis
from testkit import servers
from testkit.cluster import ROOT, Client, Cluster, Member, client_of, cluster_on
from testkit.databases import migrate
from testkit.programs import FOLDER, execute
from testkit.waiting import eventually

SLOTS_OF_NOTHING = 4
SINGLE_RUNS = 20
ALONE = ("--without-mingle", "--without-gossip", "--loglevel", "WARNING")
OURS, EMPTY = "src.app.celery_app", "benchmarks.shared.empty_worker"


@dataclass
class Bench:
    """The servers of all rounds, and the figures by their names."""

    cluster: Cluster
    client: Client
    plain_url: str
    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def drain_runs(self, name: str, application: str, code: str, slots: int, count: int) -> None:
        """Queue so many runs, start a worker, and note the runs a second from the first start to the last end."""
        job = await self.queue(code, count)
        worker = self.start_worker(application, slots)
        await eventually(lambda: has_succeeded(self.client, job, 1), pause_seconds=0.02)
        before, done = descendants_ms(), await self.client.count("job_id = :job AND status = 'success'", job=job)
        await eventually(lambda: has_succeeded(self.client, job, count), pause_seconds=0.2)
        self.figures[f"{name} processor ms"].append((descendants_ms() - before) / max(1, count - done))
        await asyncio.to_thread(worker.stop)
        query = "SELECT EXTRACT(epoch FROM max(finished_at) - min(started_at)) FROM runs WHERE job_id = :job"
        ((seconds,),) = await self.client.ask(query, job=job)
        self.figures[name].append(count / float(seconds))

    async def drain_embedded(
        self, name: str, code: str, slots: int, count: int, sandbox: EmbeddedSandbox = "auto"
    ) -> None:
        """Do the same in the embedded service, in a process of its own."""
        with tempfile.TemporaryDirectory(dir=self.cluster.directory) as directory:
            program = (sys.executable, "-m", "benchmarks.shared.embedded_runs", directory)
            words = (sandbox, str(count), str(slots), code)
            ended = await asyncio.to_thread(
                subprocess.run, (*program, *words), cwd=ROOT, check=True, stdout=subprocess.PIPE
            )
        for figure, value in json.loads(ended.stdout.splitlines()[-1]).items():
            self.figures[f"{name} {figure}"].append(value)

    async def queue(self, code: str, count: int) -> int:
        job = await self.client.create("", payload={"type": "python_code", "code": code})
        await self.client.run(job, count)
        return job

    def start_worker(self, application: str, slots: int, **variables: str) -> Member:
        return self.cluster.start(
            "celery", "-A", application, "worker", *ALONE, SCHEDULER_SLOTS=str(slots), **variables
        )


async def has_succeeded(client: Client, job: int, count: int) -> bool:
    """Whether so many runs of a job have; ends the program if one has failed."""
    if await client.count("job_id = :job AND status = 'failed'", job=job):
        raise SystemExit("a run has failed")
    return await client.count("job_id = :job AND status = 'success'", job=job) >= count


@asynccontextmanager
async def opened_bench() -> AsyncIterator[Bench]:
    """Start PostgreSQL, which waits for the disk, and Valkey, and yield an installation without workers."""
    with (
        servers.postgres(servers.DURABLE) as postgres,
        servers.valkey() as valkey,
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base,
        cluster_on(postgres.create_database(), f"{valkey}/0", Path(base), execute, SCHEDULER_SANDBOX="auto") as cluster,
    ):
        Path(base).chmod(0o711)  # noqa: ASYNC240 (nothing else runs yet)
        await migrate(cluster.environment["DATABASE_URL"])
        async with client_of(cluster) as client:
            yield Bench(cluster, client, f"{valkey}/1")


async def drain_tasks(url: str, slots: int, count: int, task: str = nothing.name, **variables: str) -> float:
    """Execute tasks of Celery alone. Return the tasks a second, from the first end to the last one."""
    with Celery(broker=url) as sender, Redis.from_url(url) as notes:
        notes.delete(FIRST, LAST)
        for number in range(count):
            sender.send_task(task, (number, count))
        with plain_worker(url, slots, **variables):
            await eventually(lambda: asyncio.to_thread(notes.exists, LAST))
        first, last = (float(notes.get(key) or 0) for key in (FIRST, LAST))
    return (count - 1) / (last - first)


def plain_delay(url: str) -> float:
    """Return the median of the milliseconds from a message to the begin of its task."""
    delays = []
    with Celery(broker=url) as sender, Redis.from_url(url) as notes, plain_worker(url, SLOTS_OF_NOTHING):
        for _ in range(SINGLE_RUNS):
            notes.delete(FIRST)
            sent_at = time.time()
            sender.send_task(nothing.name, (0, 2))
            while not notes.exists(FIRST):
                time.sleep(0.005)
            delays.append(float(notes.get(FIRST) or 0) - sent_at)
    return median(delays) * 1000


@contextmanager
def plain_worker(url: str, slots: int, **variables: str) -> Iterator[None]:
    """Run a worker of plain Celery, with its events on, within the block."""
    words = ("-A", "benchmarks.shared.plain_celery", "worker", "-E", "--pool", "threads", "--concurrency", str(slots))
    worker = subprocess.Popen(
        [FOLDER / "celery", *words, *ALONE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CELERY_BROKER_URL": url, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()
