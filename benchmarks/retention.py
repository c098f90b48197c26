"""How fast old runs are deleted from PostgreSQL, against one plain DELETE with cascading foreign keys, and VACUUM.

The peer deletes the same runs by one statement from tables that refer to them with ON DELETE CASCADE. The floor empties
the tables. Another process writes meanwhile; its waits show whether retention holds others up.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import text
from testkit import servers
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock

from scheduler_service.engine.retention import Pruner
from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database

AIM = 20
MAX_MILLISECONDS = 50
KEPT_DAYS = 30
ALONE_SECONDS = 3.0
RUNS = """
INSERT INTO runs (job_id, job_version, status, trigger, scheduled_for, priority, queued_at, available_at, notified_at,
                  started_at, finished_at, attempt, retry_count, rescue_count, log_bytes, logs_truncated,
                  correlation_id, exit_code)
SELECT (SELECT min(id) FROM jobs), 1, 'success', 'schedule', at, 5, at, at, at, at, at, 1, 0, 0, 200, false,
       md5(at::text), 0
FROM generate_series(1, CAST(:count AS integer)) AS number,
     LATERAL (SELECT CAST(:first AS timestamptz) + number * interval '1 second' AS at) AS instants
"""
ATTEMPTS = """
INSERT INTO attempts (run_id, attempt, worker_id, started_at, finished_at, status, exit_code)
SELECT id, 1, 'worker', started_at, finished_at, 'success', 0 FROM runs
"""
LOGS = "INSERT INTO run_logs (run_id, at_byte, data) SELECT id, 0, decode(repeat('61', 200), 'hex') FROM runs"
PARTS = {"attempts": "CASCADE", "run_logs": "CASCADE", "run_upstreams": "CASCADE", "artifacts": "SET NULL"}
Delete = Callable[[Database], Awaitable[None]]


async def prune(database: Database) -> None:
    """Delete as a dispatcher does."""
    clock = FakeClock(NOON + timedelta(days=KEPT_DAYS + 1))
    await Pruner(database, clock, retention_days=KEPT_DAYS, event_retention_hours=1).prune()


class Writer:
    """Another process that fires a job again and again. The wait of each write is known."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.waits: list[float] = []

    async def write(self) -> None:
        """Write until the task is cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.shield(_execute(self._database, "UPDATE jobs SET scheduled_runs = scheduled_runs + 1"))
            self.waits.append((time.perf_counter() - before) * 1000)
            await asyncio.sleep(0.005)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write within the block."""
        task = asyncio.create_task(self.write())
        yield
        task.cancel()
        await asyncio.wait([task])


async def delete_plainly(database: Database) -> None:
    """Delete by one statement, with foreign keys that cascade."""
    await _execute(database, "ALTER TABLE runs DISABLE TRIGGER runs_removed")
    for table, action in PARTS.items():
        key = f"FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE {action} NOT VALID"
        await _execute(database, f"ALTER TABLE {table} ADD CONSTRAINT cascade_{table} {key}")
    await _execute(database, "DELETE FROM runs WHERE finished_at < now() + interval '100 years'")
    for table in PARTS:
        await _execute(database, f"ALTER TABLE {table} DROP CONSTRAINT cascade_{table}")
    await _execute(database, "ALTER TABLE runs ENABLE TRIGGER runs_removed")


async def empty(database: Database) -> None:
    """Empty the tables."""
    await _execute(database, "TRUNCATE runs, attempts, run_logs")


async def _execute(database: Database, statement: str) -> None:
    async with database.read() as connection:  # each statement commits by itself, which VACUUM needs
        await connection.execute(text(statement))


async def seconds_of(database: Database, delete: Delete, count: int) -> float:
    """Return the seconds that a deletion of `count` runs takes, with VACUUM."""
    await _fill(database, count)
    before = time.perf_counter()
    await delete(database)
    await _execute(database, "VACUUM runs, attempts, run_logs")
    return time.perf_counter() - before


async def _fill(database: Database, count: int) -> None:
    first: datetime = NOON - timedelta(seconds=count)
    for statement in ("TRUNCATE runs, attempts, run_logs, events", RUNS, ATTEMPTS, LOGS):
        async with database.write() as connection:
            await connection.execute(text(statement), {"count": count, "first": first} if statement is RUNS else {})
    await _execute(database, "VACUUM ANALYZE runs, attempts, run_logs, events")


async def measure(report: Report, url: str, count: int, rounds: int) -> None:
    """Measure all three by turns."""
    database = Database(url)
    beside, alone = Writer(database), Writer(database)
    await migrations.upgrade(database)
    await add_job(database)
    ours, plain, floor = [], [], []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr)
        ours.append(await seconds_of(database, prune, count))
        plain.append(await seconds_of(database, delete_plainly, count))
        floor.append(await seconds_of(database, empty, count))
        await _fill(database, count)
        async with beside.writing():
            await prune(database)
        async with alone.writing():
            await asyncio.sleep(ALONE_SECONDS)
    await database.close()
    group = f"{count:,} old runs, with attempts and logs"
    report.add(group, "retention and VACUUM", "s", ours)
    report.add(group, "DELETE with foreign keys and VACUUM (peer)", "s", plain)
    report.add(group, "TRUNCATE (floor)", "s", floor)
    report.add(group, "times the peer", "", [slow / fast for slow, fast in zip(plain, ours, strict=True)], at_least=AIM)
    report.add(group, "a write beside retention", "ms", beside.waits, at_most=MAX_MILLISECONDS)
    report.add(group, "the same write alone", "ms", alone.waits)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "retention")
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report = Report({"runs": arguments.runs, "rounds": arguments.rounds} | machine_facts())
    with servers.postgres(servers.DURABLE) as server:
        asyncio.run(measure(report, server.create_database(), arguments.runs, arguments.rounds))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
