"""How many due jobs a dispatcher fires in a second, against the floor of one bare statement that does as much."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text
from tests import servers
from tests.databases import A_JOB, FakeClock
from tests.engine.doubles import RecordingBroker

from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ROWS = (
    "INSERT INTO runs (job_id, status, trigger, scheduled_for, priority, queued_at, available_at, rung_at, attempt,"
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
    """Give the jobs a second of one dispatcher's tick."""
    await fill(database, count)
    broker = RecordingBroker()
    dispatcher = Dispatcher(database, broker, FakeClock(NOON), tick_seconds=1)
    before = time.perf_counter()
    await dispatcher.tick()
    seconds = time.perf_counter() - before
    if len(broker.rings) != count:
        raise SystemExit(f"fired {len(broker.rings)} of {count}")
    return count / seconds


async def floor(database: Database, count: int) -> float:
    """Give the rows a second of the database alone, which decides nothing."""
    await fill(database, count)
    before = time.perf_counter()
    async with database.write() as connection:
        await connection.execute(text(ROWS))
        await connection.execute(text("UPDATE jobs SET next_run_at = NULL, status = 'finished'"))
    return count / (time.perf_counter() - before)


async def measure(url: str, count: int, rounds: int) -> dict[str, Any]:
    """Measure both in turn; gives minimum, median and maximum of each, and of the ratio pair by pair."""
    database = Database(url)
    await migrations.upgrade(database)
    pairs = [(await fire(database, count), await floor(database, count)) for _ in range(rounds)]
    await database.close()
    return {
        "jobs_per_second": _spread([fired for fired, _ in pairs]),
        "floor_rows_per_second": _spread([bare for _, bare in pairs]),
        "share_of_floor": _spread([fired / bare for fired, bare in pairs]),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Give a SQLite file and a real PostgreSQL."""
    with tempfile.TemporaryDirectory() as directory, servers.postgres() as server:
        yield {"SQLite": f"sqlite:///{directory}/bench.db", "PostgreSQL": server.create_database()}


def main() -> None:
    """Print a table and write a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--report", type=Path, default=Path("benchmarks/results/dispatch.json"))
    options = parser.parse_args()
    report: dict[str, Any] = {"jobs": options.jobs, "rounds": options.rounds}
    with databases() as urls:
        for name, url in urls.items():
            print(f"{name}: firing {options.jobs} due jobs, {options.rounds} times …", file=sys.stderr)
            report[name] = asyncio.run(measure(url, options.jobs, options.rounds))
            for figure, spread in report[name].items():
                shown = "  ".join(f"{key} {value:>10,.2f}" for key, value in spread.items())
                print(f"{name:<12}{figure:<24}{shown}")
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
