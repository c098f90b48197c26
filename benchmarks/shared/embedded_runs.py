"""The embedded service: prints how fast it executes runs, as JSON.

`python -m benchmarks.shared.embedded_runs DIRECTORY SANDBOX COUNT SLOTS CODE`. The database is on the disk of
DIRECTORY. SANDBOX is `auto`, the one of every run, or `empty`, which runs nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.shared import empty_sandbox
from sqlalchemy import func, insert, select
from testkit.callers import ADMIN
from testkit.waiting import eventually

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.storage import runs
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs as run_table
from scheduler_service.telemetry.logging_config import configure_logging

SINGLE_RUNS = 20
EmbeddedSandbox = Literal["auto", "empty"]
DEFINITION = {
    "name": "nothing",
    "schedule_expr": "2099-01-01T00:00:00Z",
    "overlap_policy": "allow",
}


async def queue_runs(settings: Settings, count: int, code: str) -> int:
    """Store a job with so many queued runs. Return its id."""
    definition = {**DEFINITION, "payload": {"type": "python_code", "code": code}}
    async with open_service(settings) as service:
        job = await service.jobs.create(ADMIN, JobDefinition.model_validate(definition))
    now = datetime.now(UTC)
    row = runs.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.MANUAL,
        scheduled_for=now,
        priority=5,
        correlation_id="c",
        now=now,
    )
    database = Database(settings.effective_database_url)
    async with database.write() as connection:
        await connection.execute(insert(run_table), [row] * count)
    await database.close()
    return job.id


async def figures_of(database: Database) -> tuple[int, float]:
    """Return how many runs have ended, and the seconds from the first begin to the last end."""
    first, last = func.min(run_table.c.started_at), func.max(run_table.c.finished_at)
    query = select(func.count(run_table.c.finished_at), first, last)
    async with database.read() as connection:
        count, began_at, ended_at = (await connection.execute(query)).one()
    return count, (ended_at - began_at).total_seconds() if ended_at else 0.0


async def delay(service: Service, job_id: int) -> float:
    """Return the milliseconds from the request of a run to its begin, in a service that rests."""
    run_id = (await service.jobs.run(ADMIN, job_id)).id

    async def find() -> Run | None:
        run = (await service.runs.get(ADMIN, run_id)).view.run
        return run if run.status is RunStatus.SUCCESS else None

    run: Run = await eventually(find)
    return ((run.started_at or run.queued_at) - run.queued_at).total_seconds() * 1000


async def measure(settings: Settings, count: int, code: str) -> dict[str, float]:
    """Execute so many runs, and then single ones. The processor time is that of this process alone."""
    job_id = await queue_runs(settings, count, code)
    database = Database(settings.effective_database_url)
    async with open_service(settings) as service:
        before, (done, _) = time.process_time(), await figures_of(database)

        async def all_have_ended() -> bool:
            return (await figures_of(database))[0] == count

        await eventually(all_have_ended, pause_seconds=0.2)
        used, (_, seconds) = time.process_time() - before, await figures_of(database)
        delays = [await delay(service, job_id) for _ in range(SINGLE_RUNS)]
    await database.close()
    processor_ms = used / max(1, count - done) * 1000
    return {"runs_per_second": count / seconds, "processor_ms": processor_ms, "delay_ms": median(delays)}


def main() -> None:
    """Print the figures; logs go to the standard error, which the caller may discard."""
    configure_logging("WARNING", "json")
    directory, sandbox, count, slots, code = sys.argv[1:]
    level = empty_sandbox.install() if sandbox == "empty" else {"sandbox": "auto"}
    settings = load_settings(data_dir=Path(directory), slots=int(slots), _env_file=None, **level)
    print(json.dumps(asyncio.run(measure(settings, int(count), code))))


if __name__ == "__main__":
    main()
