"""How long a small owner waits behind a large one, and what fairness costs a claim.

A worker of four slots has 5,000 queued runs of one owner that take 0.2 seconds each. Then 5 runs of another owner are
queued. Of a claim, the milliseconds are measured with 100,000 queued runs of one owner and of a hundred. Each claim is
undone, so that all see the same queue.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from benchmarks.dispatch import databases, migrated
from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.callers import ADMIN
from testkit.databases import NOON, add_job, queued_row
from testkit.waiting import eventually

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.domain.run_state import Trigger
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.storage import claims, runs, workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs as run_table
from scheduler_service.telemetry.logging_config import configure_logging

MAX_WAIT_SECONDS = 5
SMALL = 5
CLAIMS = 200
SLEEP = {"type": "shell_script", "script": "sleep 0.2"}


class _Undo(Exception):  # noqa: N818 (no error)
    """Rolls a claim back."""


async def queue(service: Service, database: Database, owner_id: str, count: int) -> int:
    """Queue runs of a new job by one statement. Return the id of the job."""
    definition = {"name": owner_id, "schedule_expr": None, "owner_id": owner_id, "overlap_policy": "allow"}
    job = await service.jobs.create(ADMIN, JobDefinition.model_validate({**definition, "payload": SLEEP}))
    now = datetime.now(UTC)
    row = runs.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.MANUAL,
        scheduled_for=now,
        priority=job.priority,
        correlation_id="c",
        now=now,
    )
    async with database.write() as connection:
        await connection.execute(insert(run_table), [row] * count)
    return job.id


async def wait_of_small_owner(url: str, directory: Path, count: int) -> float:
    """Return the seconds from the queueing of the small owner's runs to the beginning of the last one."""
    settings = load_settings(
        data_dir=directory, database_url=url.replace("sqlite:", "sqlite+aiosqlite:"), sandbox="none", _env_file=None
    )
    async with open_service(settings) as service, migrated(url) as database:
        large = await queue(service, database, "large", count)
        await eventually(lambda: count_begun(database, large, 8))
        small = await queue(service, database, "small", SMALL)
        await eventually(lambda: count_begun(database, small, SMALL))
        span = func.max(run_table.c.started_at), func.min(run_table.c.queued_at)
        async with database.write() as connection:
            last, queued = (await connection.execute(select(*span).where(run_table.c.job_id == small))).one()
            await connection.execute(text("DELETE FROM runs WHERE status = 'queued'"))
    return float((last - queued).total_seconds())


async def count_begun(database: Database, job_id: int, least: int) -> bool:
    query = select(func.count(run_table.c.started_at)).where(run_table.c.job_id == job_id)
    async with database.read() as connection:
        return bool((await connection.execute(query)).scalar_one() >= least)


async def fill(database: Database, owners: int, count: int) -> None:
    """Queue `count` runs of so many owners."""
    for number in range(owners):
        job = await add_job(database, owner_id=f"owner {number}", next_run_at=None, status="paused")
        row = queued_row(job)
        async with database.write() as connection:
            await connection.execute(insert(run_table), [row] * (count // owners))
    async with database.write() as connection:
        await connection.execute(text("ANALYZE"))


async def claim_milliseconds(database: Database) -> list[float]:
    """Return the milliseconds of each claim of one run."""
    taken = []
    for _ in range(CLAIMS):
        with suppress(_Undo):
            async with database.write() as connection:
                taken.append(await _time_claim(connection))
                _undo()
    return taken


async def _time_claim(connection: AsyncConnection) -> float:
    before = time.perf_counter()
    await claims.claim(connection, "w", NOON, 1)
    return (time.perf_counter() - before) * 1000


def _undo() -> NoReturn:
    raise _Undo


async def measure(report: Report, kind: str, url: str, directory: Path, sizes: tuple[int, int]) -> None:
    """Measure both, with so many runs of the large owner, and so many queued runs."""
    large, queued = sizes
    report.add(
        f"{SMALL} runs behind {large:,}",
        kind,
        "s",
        [await wait_of_small_owner(url, directory, large)],
        at_most=MAX_WAIT_SECONDS,
    )
    async with migrated(url) as database:
        async with database.write() as connection:
            await workers.register(connection, "w", host="h", pid=1, slots=4, now=NOON)
        for owners in (1, 100):
            async with database.write() as connection:
                for table in ("attempts", "runs", "events", "jobs"):
                    await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 (constants)
            await fill(database, owners, queued)
            report.add(
                f"a claim, {queued:,} queued", f"{kind}, owners: {owners}", "ms", await claim_milliseconds(database)
            )


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "fairness")
    parser.add_argument("--large", type=int, default=5000)
    parser.add_argument("--queued", type=int, default=100_000)
    arguments = parser.parse_args()
    configure_logging("WARNING", "json")
    report = Report(machine_facts())
    with databases() as urls:
        for kind, url in urls.items():
            with tempfile.TemporaryDirectory() as directory:
                asyncio.run(measure(report, kind, url, Path(directory), (arguments.large, arguments.queued)))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
