"""How many due jobs a dispatcher fires in a second, against the floor of one bare statement that does as much."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import insert, text
from testkit import servers
from testkit.databases import A_JOB
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs

AIM_JOBS_PER_SECOND = 20_000
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ROWS = (
    "INSERT INTO runs (job_id, status, trigger, scheduled_for, priority, queued_at, available_at, notified_at, attempt,"
    " retry_count, rescue_count, log_bytes, logs_truncated, correlation_id)"
    " SELECT id, 'queued', 'schedule', next_run_at, priority, next_run_at, next_run_at, next_run_at, 0, 0, 0, 0,"
    " false, 'floor' FROM jobs WHERE next_run_at IS NOT NULL"
)


async def fill(database: Database, count: int) -> None:
    """Make `count` jobs that are all due now, and nothing else."""
    async with database.write() as connection:
        for table in ("attempts", "run_logs", "runs", "jobs"):
            await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 (names from this file)
        await connection.execute(insert(jobs), [{**A_JOB, "overlap_policy": "skip"} for _ in range(count)])


async def fire(database: Database, count: int) -> float:
    """Return the jobs a second of one dispatcher's tick."""
    await fill(database, count)
    broker = RecordingBroker()
    dispatcher = Dispatcher(database, broker, FakeClock(NOON), tick_seconds=1)
    before = time.perf_counter()
    await dispatcher.tick()
    seconds = time.perf_counter() - before
    if len(broker.notices) != count:
        raise SystemExit(f"fired {len(broker.notices)} of {count}")
    return count / seconds


async def floor(database: Database, count: int) -> float:
    """Return the rows a second of the database alone, which decides nothing."""
    await fill(database, count)
    before = time.perf_counter()
    async with database.write() as connection:
        await connection.execute(text(ROWS))
        await connection.execute(text("UPDATE jobs SET next_run_at = NULL, status = 'finished'"))
    return count / (time.perf_counter() - before)


async def measure(report: Report, kind: str, url: str, count: int, rounds: int) -> None:
    """Measure both in turn, and the ratio pair by pair."""
    database = Database(url)
    await migrations.upgrade(database)
    pairs = [(await fire(database, count), await floor(database, count)) for _ in range(rounds)]
    await database.close()
    aim = AIM_JOBS_PER_SECOND if kind == "PostgreSQL" else None
    report.add(kind, "jobs fired", "/s", [fired for fired, _ in pairs], at_least=aim)
    report.add(kind, "rows of a bare statement", "/s", [bare for _, bare in pairs])
    report.add(kind, "share of the bare statement", "", [fired / bare for fired, bare in pairs])


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Return a SQLite file and a real PostgreSQL."""
    with tempfile.TemporaryDirectory() as directory, servers.postgres() as server:
        yield {"SQLite": f"sqlite:///{directory}/bench.db", "PostgreSQL": server.create_database()}


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "dispatch")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    report = Report({"jobs": arguments.jobs, "rounds": arguments.rounds} | machine_facts())
    with databases() as urls:
        for kind, url in urls.items():
            print(f"{kind}: firing {arguments.jobs} due jobs, {arguments.rounds} times …", file=sys.stderr)
            asyncio.run(measure(report, kind, url, arguments.jobs, arguments.rounds))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
