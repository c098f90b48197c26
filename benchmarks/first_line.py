"""How long after its instant the first line of a job's code runs, beside a task of plain Celery.

The job prints the time. Its instants are those of a schedule: a beat fires them, and a worker of the same installation
executes them in the sandbox, or the embedded service does both. Nothing else runs meanwhile. The peer is a task of
plain Celery, from its message to its begin: nothing decides that it is due. The floor is the sandbox alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.shared.reports import Report, machine_facts, options
from benchmarks.shared.workers import ALONE, OURS, Bench, opened_bench, plain_delay
from testkit.cluster import Client
from testkit.waiting import eventually

from scheduler_service.bootstrap import open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.sandbox import PythonCode, Spec, ZygoteSandbox, best_level, probe
from scheduler_service.storage.database import Database
from scheduler_service.telemetry.logging_config import configure_logging

CODE = "import time\nprint(time.time())\n"
SLOTS = 2
UNTIL_FIRST = timedelta(seconds=2)
BETWEEN = timedelta(seconds=0.4)
MAX_MORE_MS, MAX_EMBEDDED_MS = 5, 5
Delays = tuple[float, float]
"""Medians in milliseconds: until the claim, and until the first line."""


async def delays(client: Client, count: int) -> Delays:
    """Create a job for each of `count` instants, wait until all have run, and return how late they were."""
    first = datetime.now(UTC) + UNTIL_FIRST
    ids = [
        await client.create(
            "", schedule_expr=(first + number * BETWEEN).isoformat(), payload={"type": "python_code", "code": CODE}
        )
        for number in range(count)
    ]

    async def all_have_run() -> bool:
        return await client.count("job_id >= :first AND status = 'success'", first=ids[0]) == count

    await eventually(all_have_run, pause_seconds=0.2)
    listed = "SELECT id FROM runs WHERE job_id >= :first"
    runs = [await client.find(run) for (run,) in await client.ask(listed, first=ids[0])]
    printed = "SELECT data FROM run_logs JOIN runs ON runs.id = run_id WHERE job_id >= :first ORDER BY run_id"
    lines = [float(bytes(data)) for (data,) in await client.ask(printed, first=ids[0])]
    due = sorted(run.scheduled_for for run in runs)
    claimed = sorted(run.started_at for run in runs if run.started_at is not None)
    until_claim = [(start - at).total_seconds() * 1000 for start, at in zip(claimed, due, strict=True)]
    until_line = [(line - at.timestamp()) * 1000 for line, at in zip(sorted(lines), due, strict=True)]
    return median(until_claim), median(until_line)


async def distributed(bench: Bench, count: int) -> Delays:
    """Measure a beat and a worker."""
    beat = await bench.cluster.start_beat()
    worker = bench.cluster.start("celery", "-A", OURS, "worker", *ALONE, SCHEDULER_SLOTS=str(SLOTS))
    await bench.client.until(await _run_once(bench.client), "success")
    measured = await delays(bench.client, count)
    for member in (worker, beat):
        await asyncio.to_thread(member.stop)
    return measured


async def embedded(count: int) -> Delays:
    """Measure the embedded service, in this process."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as directory:
        settings = load_settings(data_dir=Path(directory), sandbox="auto", slots=SLOTS, _env_file=None)
        database = Database(settings.effective_database_url)
        async with open_service(settings) as service:
            client = Client(service, database)
            await client.until(await _run_once(client), "success")
            measured = await delays(client, count)
        await database.close()
    return measured


async def _run_once(client: Client) -> int:
    """Queue a run, so that everything has been used once. Return its id."""
    job = await client.create("", payload={"type": "python_code", "code": CODE})
    return (await client.run(job))[0]


async def sandbox_alone(directory: Path, count: int) -> float:
    """Return the median of the milliseconds until the first line, without a queue and a database."""
    sandbox = ZygoteSandbox(best_level(probe()), directory, SLOTS)
    await sandbox.start()
    measured = []
    for _ in range(count):
        lines: list[bytes] = []

        async def keep(output: bytes, lines: list[bytes] = lines) -> None:
            lines.append(output)

        began = time.time()
        await sandbox.run(Spec(PythonCode(CODE)), keep, asyncio.Event())
        measured.append((float(b"".join(lines)) - began) * 1000)
        await asyncio.sleep(BETWEEN.total_seconds() / 4)  # until the next run is prepared
    await sandbox.stop()
    return median(measured)


async def measure(report: Report, count: int, rounds: int) -> None:
    """Alternate all of them, and enter the figures."""
    ours, own, peers, floors = [], [], [], []
    async with opened_bench() as bench:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", file=sys.stderr)
            ours.append(await distributed(bench, count))
            own.append(await embedded(count))
            peers.append(await asyncio.to_thread(plain_delay, bench.plain_url))
            floors.append(await sandbox_alone(bench.cluster.directory / f"sandbox{number}", count))
    group = "from the instant to the first line, medians"
    report.add(group, "a task of plain Celery (peer)", "ms", peers)
    report.add(group, "the sandbox alone (floor)", "ms", floors)
    report.add(group, "distributed, until the claim", "ms", [claim for claim, _ in ours])
    report.add(group, "distributed", "ms", [line for _, line in ours])
    more = [line - peer for (_, line), peer in zip(ours, peers, strict=True)]
    report.add(group, "distributed, more than the peer", "ms", more, at_most=MAX_MORE_MS)
    report.add(group, "embedded, until the claim", "ms", [claim for claim, _ in own])
    report.add(group, "embedded", "ms", [line for _, line in own], at_most=MAX_EMBEDDED_MS)
    report.compare(group, "embedded to the floor", [line for _, line in own], floors)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "first_line")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "runs": arguments.runs} | machine_facts())
    configure_logging("WARNING", "json")
    asyncio.run(measure(report, arguments.runs, arguments.rounds))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
