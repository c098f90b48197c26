"""Runs a second from the queue to the ledger, with PostgreSQL and Valkey and embedded, against what does less.

The numpy example goes through a worker of two slots, its output to the log, against `subprocess.run` alone. A run of
nothing (in an empty sandbox, but claimed and finished as any) goes through a worker of four slots, and through the
embedded service, against a task of nothing in plain Celery with its events. The messages wait before a worker starts,
and its start is not counted. PostgreSQL and SQLite write to the disk, as in production. Statements are counted in runs
of their own, because they pass a proxy.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.sandbox import PI, as_process, throughput
from benchmarks.shared.plain_celery import FIRST, LAST, nothing
from benchmarks.shared.processor_time import descendants_ms
from benchmarks.shared.reports import Report, machine_facts, options
from celery import Celery
from redis import Redis
from testkit import servers
from testkit.cluster import ROOT, Client, Cluster, Member, client_of, cluster_on
from testkit.databases import migrate
from testkit.programs import FOLDER, execute
from testkit.statement_counter import StatementCounter
from testkit.waiting import eventually

SLOTS_OF_PI, SLOTS_OF_NOTHING = 2, 4
NAIVE_RUNS, SINGLE_RUNS = 10, 20
ALONE = ("--without-mingle", "--without-gossip", "--loglevel", "WARNING")
OURS, EMPTY = "src.app.celery_app", "benchmarks.shared.empty_worker"


@dataclass
class Bench:
    """The servers of all rounds, and the figures by their names."""

    cluster: Cluster
    client: Client
    plain_url: str
    runs: int
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

    async def measure_delays(self) -> None:
        """Note the time from the request of a run to its begin, and of a task of plain Celery, while workers rest."""
        worker = self.start_worker(EMPTY, SLOTS_OF_NOTHING)
        job = await self.queue("pass", 1)
        await eventually(lambda: has_succeeded(self.client, job, 1))
        for number in range(SINGLE_RUNS):
            await self.client.run(job)
            await eventually(partial(has_succeeded, self.client, job, number + 2))
        worker.stop()
        query = "SELECT EXTRACT(epoch FROM started_at - queued_at) * 1000 FROM runs WHERE job_id = :job"
        self.figures["delay"].append(median(float(ms) for (ms,) in await self.client.ask(query, job=job)))
        self.figures["plain delay"].append(await asyncio.to_thread(plain_delay, self.plain_url))

    async def count_statements(self, count: int) -> None:
        """Note the statements of a run, with those of the worker's own loops."""
        job = await self.queue("pass", count)
        counter = StatementCounter(self.cluster.environment["DATABASE_URL"])
        async with counter.serve() as url:
            worker = self.start_worker(EMPTY, SLOTS_OF_NOTHING, DATABASE_URL=url)
            await eventually(lambda: has_succeeded(self.client, job, 1), pause_seconds=0.02)
            before, done = counter.count, await self.client.count("job_id = :job AND status = 'success'", job=job)
            await eventually(lambda: has_succeeded(self.client, job, count), pause_seconds=0.02)
            self.figures["statements"].append((counter.count - before) / max(1, count - done))
            await asyncio.to_thread(worker.stop)  # the proxy goes on meanwhile

    async def drain_embedded(self, count: int) -> None:
        """Do the same in the embedded service, in a process of its own."""
        with tempfile.TemporaryDirectory(dir=self.cluster.directory) as directory:
            program = (sys.executable, "-m", "benchmarks.shared.embedded_runs", directory, str(count))
            ended = await asyncio.to_thread(subprocess.run, program, cwd=ROOT, check=True, stdout=subprocess.PIPE)
        for name, value in json.loads(ended.stdout.splitlines()[-1]).items():
            self.figures[f"embedded {name}"].append(value)

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


async def drain_tasks(url: str, slots: int, count: int) -> float:
    """Execute tasks of Celery alone; returns tasks a second."""
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


def plain_delay(url: str) -> float:
    """Return the median of the milliseconds from a message to the begin of its task."""
    delays = []
    with Celery(broker=url) as sender, Redis.from_url(url) as notes:
        worker = start_plain_worker(url, SLOTS_OF_NOTHING)
        for _ in range(SINGLE_RUNS):
            notes.delete(FIRST)
            sent_at = time.time()
            sender.send_task(nothing.name, (0, 2))
            while not notes.exists(FIRST):
                time.sleep(0.005)
            delays.append(float(notes.get(FIRST) or 0) - sent_at)
        worker.terminate()
        worker.wait()
    return median(delays) * 1000


def start_plain_worker(url: str, slots: int) -> subprocess.Popen[bytes]:
    words = ("-A", "benchmarks.shared.plain_celery", "worker", "-E", "--pool", "threads", "--concurrency", str(slots))
    return subprocess.Popen(
        [FOLDER / "celery", *words, *ALONE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CELERY_BROKER_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def measure(bench: Bench, rounds: int) -> None:
    """Alternate all of them."""
    pi = bench.cluster.directory / "pi.py"
    pi.write_text(PI)
    naive, count = as_process(sys.executable, str(pi)), bench.runs
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr)
        bench.figures["naive"].append(await throughput(naive, 1, NAIVE_RUNS))
        await bench.drain_runs("pi", OURS, PI, SLOTS_OF_PI, count)
        bench.figures["plain"].append(await drain_tasks(bench.plain_url, SLOTS_OF_NOTHING, 5 * count))
        await bench.drain_runs("nothing", EMPTY, "pass", SLOTS_OF_NOTHING, 5 * count)
        await bench.drain_embedded(5 * count)
        await bench.measure_delays()
        await bench.count_statements(count)


def enter(report: Report, figures: dict[str, list[float]]) -> None:
    """Enter the figures beside their peers."""

    def ratio(ours: str, theirs: str) -> list[float]:
        return [one / other for one, other in zip(figures[ours], figures[theirs], strict=True)]

    report.add("the numpy example", "subprocess.run, one after the other", "/s", figures["naive"])
    report.add("the numpy example", "a run, with database and logs", "/s", figures["pi"])
    report.add("the numpy example", "ratio", "", ratio("pi", "naive"), at_least=20)
    report.add("the numpy example", "processor time, whole system", "ms", figures["pi processor ms"], at_most=9)
    report.add("nothing", "a task in Celery alone, with events", "/s", figures["plain"])
    report.add("nothing", "a run, distributed", "/s", figures["nothing"])
    report.add("nothing", "ratio", "", ratio("nothing", "plain"), at_least=0.25)
    report.add("nothing", "processor time, whole system", "ms", figures["nothing processor ms"])
    report.add("nothing", "statements of a run", "", figures["statements"], at_most=6)
    report.add("nothing", "a run, embedded", "/s", figures["embedded runs_per_second"])
    report.add("nothing", "ratio, embedded", "", ratio("embedded runs_per_second", "plain"), at_least=0.35)
    report.add("nothing", "processor time, embedded", "ms", figures["embedded processor_ms"])
    delays = [ours - theirs for ours, theirs in zip(figures["delay"], figures["plain delay"], strict=True)]
    report.add("from the request to the begin", "a task in Celery alone", "ms", figures["plain delay"])
    report.add("from the request to the begin", "a run, distributed", "ms", figures["delay"])
    report.add("from the request to the begin", "difference", "ms", delays, at_most=5)
    report.add("from the request to the begin", "a run, embedded", "ms", figures["embedded delay_ms"], at_most=5)


async def run_all(cluster: Cluster, plain_url: str, runs: int, rounds: int) -> dict[str, list[float]]:
    await migrate(cluster.environment["DATABASE_URL"])
    async with client_of(cluster) as client:
        bench = Bench(cluster, client, plain_url, runs)
        await measure(bench, rounds)
        return bench.figures


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "queue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "runs": arguments.runs} | machine_facts())
    with (
        servers.postgres(servers.DURABLE) as postgres,
        servers.valkey() as valkey,
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base,
        cluster_on(postgres.create_database(), f"{valkey}/0", Path(base), execute, SCHEDULER_SANDBOX="auto") as cluster,
    ):
        Path(base).chmod(0o711)
        enter(report, asyncio.run(run_all(cluster, f"{valkey}/1", arguments.runs, arguments.rounds)))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
