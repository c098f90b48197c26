"""How many due jobs a dispatcher fires in a second, against less: a loop of one transaction a job, and one statement.

The floor inserts the same rows and moves the same jobs by one statement each, and decides nothing. The peer is what a
scheduler does that fires job by job: it locks, inserts, moves and commits each. PostgreSQL waits for the disk at each
commit, as in production.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
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

MAX_SECONDS = 0.6
HERD = 10_000
LEAST_SHARE = 0.5
MAX_MEMORY_MB = 150
# The peer is slow, so it fires some jobs and its speed is extrapolated.
PEER_JOBS = 500
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
COLUMNS = (
    "job_id, job_version, status, trigger, scheduled_for, priority, queued_at, available_at, notified_at, attempt,"
    " retry_count, rescue_count, log_bytes, logs_truncated, correlation_id"
)
ROWS = (
    "id, version, 'queued', 'schedule', next_run_at, priority, next_run_at, next_run_at, next_run_at, 0, 0, 0, 0, false"
)
FLOOR = f"INSERT INTO runs ({COLUMNS}) SELECT {ROWS}, 'floor' FROM jobs WHERE next_run_at IS NOT NULL"  # noqa: S608 (constants)
PEER = f"INSERT INTO runs ({COLUMNS}) SELECT {ROWS}, 'peer' FROM jobs WHERE id = :job"  # noqa: S608 (constants)
MINUTE = {True: "60000000", False: "interval '1 minute'"}
Fire = Callable[[Database, int], Awaitable[None]]


async def dispatch(database: Database, count: int) -> None:
    """Fire by a tick of a dispatcher."""
    broker = RecordingBroker()
    await Dispatcher(database, broker, FakeClock(NOON), tick_seconds=1).tick()
    async with database.read() as connection:
        fired = (await connection.execute(text("SELECT count(*) FROM runs"))).scalar_one()
    if fired != count or len(broker.notices) > count:
        raise SystemExit(f"fired {fired} of {count}")


async def in_one_statement(database: Database, _count: int) -> None:
    """Do as much by one statement for each table."""
    async with database.write() as connection:
        await connection.execute(text(FLOOR))
        await connection.execute(text(f"UPDATE jobs SET next_run_at = next_run_at + {MINUTE[database.is_sqlite]}"))  # noqa: S608 (constants)


async def one_by_one(database: Database, count: int) -> None:
    """Do as much by one transaction for each job."""
    lock = "" if database.is_sqlite else " FOR UPDATE SKIP LOCKED"
    async with database.read() as connection:
        first = (await connection.execute(text("SELECT min(id) FROM jobs"))).scalar_one()
    for job in range(first, first + count):
        values = {"job": job}
        async with database.write() as connection:
            await connection.execute(text(f"SELECT next_run_at FROM jobs WHERE id = :job{lock}"), values)  # noqa: S608 (constants)
            await connection.execute(text(PEER), values)
            moved = f"UPDATE jobs SET next_run_at = next_run_at + {MINUTE[database.is_sqlite]} WHERE id = :job"  # noqa: S608 (constants)
            await connection.execute(text(moved), values)


async def speed(database: Database, fire: Fire, count: int) -> float:
    """Return the jobs a second, of `count` jobs that are all due now."""
    await fill(database, count)
    before = time.perf_counter()
    await fire(database, count)
    return count / (time.perf_counter() - before)


async def fill(database: Database, count: int) -> None:
    """Store `count` jobs that are all due now, and nothing else. The database copies them, which is quick."""
    copied = ", ".join(column.name for column in jobs.columns if column.name != "id")
    async with database.write() as connection:
        for statement in _EMPTY_SQLITE if database.is_sqlite else _EMPTY_POSTGRES:
            await connection.execute(text(statement))
        await connection.execute(insert(jobs), {**A_JOB, "overlap_policy": "skip"})
        stored = 1
        while stored < count:
            copy = f"INSERT INTO jobs ({copied}) SELECT {copied} FROM jobs LIMIT :missing"  # noqa: S608 (constants)
            stored += (await connection.execute(text(copy), {"missing": count - stored})).rowcount
    if not database.is_sqlite:
        async with database.read() as connection:  # each statement commits by itself, which VACUUM needs
            await connection.execute(text("VACUUM ANALYZE jobs, runs, events"))


_EMPTY_POSTGRES = ("TRUNCATE runs, events, jobs CASCADE",)
_EMPTY_SQLITE = ("DELETE FROM runs", "DELETE FROM events", "DELETE FROM jobs")


async def measure(report: Report, kind: str, database: Database, count: int, rounds: int) -> None:
    """Measure all three by turns, and the ratio pair by pair."""
    ours, floors, peers = [], [], []
    for _ in range(rounds):
        ours.append(await speed(database, dispatch, count))
        floors.append(await speed(database, in_one_statement, count))
        peers.append(await speed(database, one_by_one, min(count, PEER_JOBS)))
    pairs = list(zip(ours, floors, strict=True))
    group = f"{kind}, {count:,} due"
    is_timed = kind == "PostgreSQL" and count == HERD
    report.add(
        group, "all rows committed", "s", [count / each for each in ours], at_most=MAX_SECONDS if is_timed else None
    )
    report.add(group, "jobs fired", "/s", ours)
    report.add(group, "one statement (floor)", "/s", floors)
    report.add(group, "one transaction a job (peer)", "/s", peers)
    report.add(group, "share of the floor", "", [fired / bare for fired, bare in pairs], at_least=LEAST_SHARE)
    report.add(group, "times the peer", "", [fired / slow for fired, slow in zip(ours, peers, strict=True)])


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield a SQLite file, and a real PostgreSQL that waits for the disk."""
    with tempfile.TemporaryDirectory() as directory, servers.postgres(servers.DURABLE) as server:
        yield {"SQLite": f"sqlite:///{directory}/bench.db", "PostgreSQL": server.create_database()}


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    """Yield an open database with tables."""
    database = Database(url)
    await migrations.upgrade(database)
    yield database
    await database.close()


async def measure_all(report: Report, urls: dict[str, str], sizes: list[int], rounds: int) -> None:
    """Measure each database at each size."""
    for kind, url in urls.items():
        async with migrated(url) as database:
            for count in sizes:
                print(f"{kind}: firing {count} due jobs, {rounds} times …", file=sys.stderr)
                await measure(report, kind, database, count, rounds)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.add("this process", "most memory at once", "MB", [memory_mb], at_most=MAX_MEMORY_MB)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "dispatch")
    parser.add_argument("--jobs", type=int, nargs="+", default=[HERD, 10 * HERD])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds} | machine_facts())
    with databases() as urls:
        asyncio.run(measure_all(report, urls, arguments.jobs, arguments.rounds))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
