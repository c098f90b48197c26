"""How long one scrape of the metrics takes on a database with a long history."""

from __future__ import annotations

import asyncio
import sys
import time

from benchmarks.dispatch import databases
from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import text
from testkit.databases import add_job

from scheduler_service.services.metrics import MetricsService
from scheduler_service.storage import migrations, totals
from scheduler_service.storage.clock import DatabaseClock
from scheduler_service.storage.database import Database

SERIES = {
    "SQLite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count) SELECT n FROM s)",
    "PostgreSQL": "(SELECT generate_series(1, :count) AS n) AS s",
}
INSTANT = {
    "SQLite": "1700000000000000 + n * 1000000",
    "PostgreSQL": "timestamptz '2024-01-01' + n * interval '1 s'",
}
COLUMNS = (
    "job_id, status, trigger, scheduled_for, priority, queued_at, available_at, started_at, finished_at,"
    " lateness_seconds, attempt, retry_count, rescue_count, log_bytes, logs_truncated, correlation_id, exit_code,"
    " worker_id"
)


async def fill(database: Database, kind: str, count: int) -> None:
    """Store so many runs that ended, and a thousand that wait, of a hundred jobs; count the events as usual."""
    for _ in range(100):
        await add_job(database, next_run_at=None, status="paused")
    at = INSTANT[kind]
    fixed = "0, 0, 0, false, 'c'"
    ended = f"SELECT 1 + n % 100, 'success', 'manual', {at}, 5, {at}, {at}, {at}, {at}, 0.1, 1, {fixed}, 0, 'w'"
    waits = f"SELECT 1 + n % 100, 'queued', 'manual', {at}, 5, {at}, {at}, NULL, NULL, NULL, 0, {fixed}, NULL, NULL"
    for rows, number in ((ended, count), (waits, 1000)):
        async with database.write() as connection:
            statement = f"INSERT INTO runs ({COLUMNS}) {rows} FROM {SERIES[kind]}"
            await connection.execute(text(statement), {"count": number})
    async with database.write() as connection:
        await totals.fold(connection)
    if kind == "PostgreSQL":
        async with database.write() as connection:
            await connection.execute(text("ANALYZE"))


async def measure(url: str, kind: str, count: int, rounds: int) -> list[float]:
    """Return the milliseconds of a scrape, as text included."""
    database = Database(url)
    await migrations.upgrade(database)
    await fill(database, kind, count)
    metrics = MetricsService(database, DatabaseClock(database), heartbeat_seconds=1.0)
    await metrics.read()
    taken = []
    for _ in range(rounds):
        before = time.perf_counter()
        await metrics.read()
        taken.append((time.perf_counter() - before) * 1000)
    await database.close()
    return taken


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "scrape")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    report = Report({"runs": arguments.runs, "rounds": arguments.rounds} | machine_facts())
    with databases() as urls:
        for kind, url in urls.items():
            print(f"{kind}: storing {arguments.runs} runs …", file=sys.stderr)
            taken = asyncio.run(measure(url, kind, arguments.runs, arguments.rounds))
            report.add("a scrape", kind, "ms", taken, at_most=20)
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
