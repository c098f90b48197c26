"""The numpy example from the queue to the ledger, contained, beside what a naive worker does.

Ours goes through a worker of two slots with PostgreSQL and Valkey, and through the embedded service, with its output in
the log. The naive worker is plain Celery with two threads, whose task runs a Python process and stores one row. Its
numpy starts threads of its own unless a variable forbids them, so it is measured with and without. The floor is the
sandbox alone.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.sandbox import PI, in_sandbox, throughput
from benchmarks.shared.plain_celery import DATABASE, PROGRAM, TABLE, naive
from benchmarks.shared.reports import Report, machine_facts, options
from benchmarks.shared.workers import OURS, Bench, drain_tasks, opened_bench
from sqlalchemy import text

from scheduler_service.sandbox import PythonCode, ZygoteSandbox, best_level, probe

SLOTS = 2
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


async def measure(runs: int, naive_runs: int, rounds: int) -> dict[str, list[float]]:
    """Alternate all of them."""
    async with opened_bench() as bench:
        program = bench.cluster.directory / "pi.py"
        program.write_text(PI)
        async with bench.client.database.write() as connection:
            await connection.execute(text(TABLE))
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", file=sys.stderr)
            await bench.drain_runs("pi", OURS, PI, SLOTS, runs)
            await bench.drain_embedded("embedded", PI, SLOTS, runs)
            await drain_naive(bench, "naive", program, naive_runs)
            await drain_naive(bench, "naive, one thread", program, naive_runs, **ONE_THREAD)
            bench.figures["sandbox"].append(await sandbox_alone(bench.cluster.directory / f"sandbox{number}", runs))
        return bench.figures


async def drain_naive(bench: Bench, name: str, program: Path, count: int, **variables: str) -> None:
    """Note the runs a second of the naive worker."""
    variables |= {PROGRAM: str(program), DATABASE: bench.cluster.environment["DATABASE_URL"]}
    bench.figures[name].append(await drain_tasks(bench.plain_url, SLOTS, count, naive.name, **variables))


async def sandbox_alone(directory: Path, runs: int) -> float:
    """Return the contained runs a second without a queue, a database or logs."""
    sandbox = ZygoteSandbox(best_level(probe()), directory, SLOTS)
    await sandbox.start()
    try:
        return await throughput(in_sandbox(sandbox, PythonCode(PI)), SLOTS, max(1, runs // SLOTS))
    finally:
        await sandbox.stop()


def enter(report: Report, figures: dict[str, list[float]]) -> None:
    """Enter the figures beside their peers."""
    group = "the numpy example"
    report.add(group, "plain Celery, a process and a row (peer)", "/s", figures["naive"])
    report.add(group, "the same with one BLAS thread (peer)", "/s", figures["naive, one thread"])
    report.add(group, "the sandbox alone (floor)", "/s", figures["sandbox"])
    report.add(group, "a run, distributed", "/s", figures["pi"])
    report.compare(group, "times naive", figures["pi"], figures["naive"], at_least=15)
    report.compare(group, "times naive with one thread", figures["pi"], figures["naive, one thread"], at_least=10)
    report.compare(group, "share of the floor", figures["pi"], figures["sandbox"])
    report.add(group, "a run, embedded", "/s", figures["embedded runs_per_second"])
    report.compare(group, "times naive, embedded", figures["embedded runs_per_second"], figures["naive"], at_least=20)
    report.add(group, "processor time, distributed", "ms", figures["pi processor ms"], at_most=9)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "pi")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--naive-runs", type=int, default=20)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "runs": arguments.runs} | machine_facts())
    enter(report, asyncio.run(measure(arguments.runs, arguments.naive_runs, arguments.rounds)))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
