"""How long a service takes to start, and to account for all missed instants, after a downtime with many jobs."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.dispatch import HERD, fill, migrated
from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import func, select, update
from testkit.commands import up
from testkit.programs import execute
from testkit.waiting import eventually

from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs

DOWNTIMES = {"two hours": timedelta(hours=2), "thirty days": timedelta(days=30)}
STARTED_SECONDS = 5
PAUSE_SECONDS = 0.02


def measure(report: Report, name: str, count: int, rounds: int) -> None:
    """Start the service after a downtime, several times, each in a directory of its own."""
    started, accounted, used = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "data")
            path.mkdir(mode=0o700)
            url = f"sqlite:///{path / 'scheduler.db'}"
            asyncio.run(_be_down(url, count, DOWNTIMES[name]))
            before, used_before = time.perf_counter(), _processor_seconds()
            with up(Path(directory), execute) as service:
                started.append(time.perf_counter() - before)
                asyncio.run(_be_accounted(url))
                accounted.append(time.perf_counter() - before)
                service.stop()
            used.append(_processor_seconds() - used_before)
    group = f"{count:,} jobs, {name}"
    report.add(group, "ready", "s", started, at_most=STARTED_SECONDS)
    report.add(group, "every instant has a row", "s", accounted)
    report.add(group, "processor time of the service", "s", used)


def _processor_seconds() -> float:
    """Return the processor time of processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


async def _be_down(url: str, count: int, downtime: timedelta) -> None:
    """Store jobs that fire once an hour, not soon, and whose next instants lie back. None of the missed ones runs."""
    soon = (datetime.now(UTC) + timedelta(minutes=30)).replace(second=0, microsecond=0)
    values = {"schedule_expr": f"{soon.minute} * * * *", "misfire_policy": "skip", "next_run_at": soon - downtime}
    async with migrated(url) as database:
        await fill(database, count)
        async with database.write() as connection:
            await connection.execute(update(jobs).values(values))


async def _be_accounted(url: str) -> None:
    """Wait until no job has a missed instant without a row."""
    database = Database(url)

    async def look() -> bool:
        async with database.read() as connection:
            earliest = await connection.scalar(select(func.min(jobs.c.next_run_at)))
        return earliest is not None and earliest > datetime.now(UTC) - timedelta(minutes=1)

    await eventually(look, pause_seconds=PAUSE_SECONDS)
    await database.close()


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "downtime")
    parser.add_argument("--jobs", type=int, default=HERD)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds} | machine_facts())
    for name in DOWNTIMES:
        measure(report, name, arguments.jobs, arguments.rounds)
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
