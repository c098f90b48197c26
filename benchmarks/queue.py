"""Runs of nothing a second from the queue to the ledger, with PostgreSQL and Valkey and embedded, beside plain Celery.

The Python code `pass` goes through a worker of four slots, and through the embedded service, contained as every run by
default, against a task of nothing in plain Celery with its events. The same is measured with an empty sandbox, which
runs nothing: the rest of a run. The messages wait before a worker starts, and its start is not counted. PostgreSQL and
SQLite write to the disk, as in production. Statements are counted in runs of their own, because they pass a proxy.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from statistics import median

from benchmarks.shared.reports import Report, machine_facts, options
from benchmarks.shared.workers import (
    EMPTY,
    OURS,
    SINGLE_RUNS,
    SLOTS_OF_NOTHING,
    Bench,
    drain_tasks,
    has_succeeded,
    opened_bench,
    plain_delay,
)
from testkit.statement_counter import StatementCounter
from testkit.waiting import eventually


async def measure_delays(bench: Bench) -> None:
    """Note the time from the request of a run to its begin, and of a task of plain Celery, while workers rest."""
    worker = bench.start_worker(EMPTY, SLOTS_OF_NOTHING)
    job = await bench.queue("pass", 1)
    await eventually(lambda: has_succeeded(bench.client, job, 1))
    for number in range(SINGLE_RUNS):
        await bench.client.run(job)
        await eventually(partial(has_succeeded, bench.client, job, number + 2))
    worker.stop()
    query = "SELECT EXTRACT(epoch FROM started_at - queued_at) * 1000 FROM runs WHERE job_id = :job"
    bench.figures["delay"].append(median(float(ms) for (ms,) in await bench.client.ask(query, job=job)))
    bench.figures["plain delay"].append(await asyncio.to_thread(plain_delay, bench.plain_url))


async def count_statements(bench: Bench, count: int) -> None:
    """Note the statements of a run, with those of the worker's own loops."""
    job = await bench.queue("pass", count)
    counter = StatementCounter(bench.cluster.environment["DATABASE_URL"])
    async with counter.serve() as url:
        worker = bench.start_worker(EMPTY, SLOTS_OF_NOTHING, DATABASE_URL=url)
        await eventually(lambda: has_succeeded(bench.client, job, 1), pause_seconds=0.02)
        before, done = counter.count, await bench.client.count("job_id = :job AND status = 'success'", job=job)
        await eventually(lambda: has_succeeded(bench.client, job, count), pause_seconds=0.02)
        bench.figures["statements"].append((counter.count - before) / max(1, count - done))
        await asyncio.to_thread(worker.stop)  # the proxy goes on meanwhile


async def measure(runs: int, rounds: int) -> dict[str, list[float]]:
    """Alternate all of them."""
    async with opened_bench() as bench:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", file=sys.stderr)
            bench.figures["plain"].append(await drain_tasks(bench.plain_url, SLOTS_OF_NOTHING, runs))
            await bench.drain_runs("contained", OURS, "pass", SLOTS_OF_NOTHING, runs)
            await bench.drain_embedded("embedded contained", "pass", SLOTS_OF_NOTHING, runs)
            await bench.drain_runs("nothing", EMPTY, "pass", SLOTS_OF_NOTHING, runs)
            await bench.drain_embedded("embedded", "pass", SLOTS_OF_NOTHING, runs, "empty")
            await measure_delays(bench)
            await count_statements(bench, max(2, runs // 5))
        return bench.figures


def enter(report: Report, figures: dict[str, list[float]]) -> None:
    """Enter the figures beside their peers."""
    report.add("runs of nothing", "a task in Celery alone, with events", "/s", figures["plain"])
    for group, ours in (("pass, contained", "contained"), ("nothing, in an empty sandbox", "nothing")):
        own = "embedded" if ours == "nothing" else f"embedded {ours}"
        enter_runs(report, group, figures, ours, own)
    report.add(group, "statements of a run", "", figures["statements"], at_most=6)
    group = "from the request to the begin"
    delays = [ours - theirs for ours, theirs in zip(figures["delay"], figures["plain delay"], strict=True)]
    report.add(group, "a task in Celery alone", "ms", figures["plain delay"])
    report.add(group, "a run, distributed", "ms", figures["delay"])
    report.add(group, "difference", "ms", delays, at_most=5)
    report.add(group, "a run, embedded", "ms", figures["embedded delay_ms"], at_most=5)


def enter_runs(report: Report, group: str, figures: dict[str, list[float]], distributed: str, embedded: str) -> None:
    """Enter the runs a second of both settings, their ratio to plain Celery, and their processor time."""
    plain, runs, own = figures["plain"], figures[distributed], figures[f"{embedded} runs_per_second"]
    report.add(group, "a run, distributed", "/s", runs)
    report.compare(group, "ratio", runs, plain, at_least=0.25)
    report.add(group, "processor time, whole system", "ms", figures[f"{distributed} processor ms"])
    report.add(group, "a run, embedded", "/s", own)
    report.compare(group, "ratio, embedded", own, plain, at_least=0.35)
    report.add(group, "processor time, embedded, without its sandbox", "ms", figures[f"{embedded} processor_ms"])


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "queue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1000)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "runs": arguments.runs} | machine_facts())
    enter(report, asyncio.run(measure(arguments.runs, arguments.rounds)))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
