"""Rows that tests put into a database directly, without the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import columns_of
from scheduler_service.storage import jobs, migrations, runs, workers
from scheduler_service.storage.database import Database

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


async def add_job(database: Database, **changes: Any) -> Job:
    """Store a job that is due every minute from noon on, or as `changes` say."""
    async with database.write() as connection:
        (job,) = await jobs.add(connection, {**A_JOB, **changes})
    return job


def queued_row(job: Job) -> dict[str, Any]:
    """Return the row of a run of a job that somebody asked for at noon."""
    return runs.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.MANUAL,
        scheduled_for=NOON,
        priority=5,
        correlation_id="c",
        now=NOON,
    )


async def add_running(database: Database, **changes: Any) -> Run:
    """Store a run that a new worker `w` executes, of a new job with `changes`."""
    job = await add_job(database, **changes)
    row = queued_row(job)
    running = {"status": RunStatus.RUNNING, "attempt": 1, "worker_id": "w", "started_at": NOON}
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
        return await runs.add(connection, row | running)


# The columns of a job with the API's defaults, so that a new field of jobs needs no entry here.
A_JOB: dict[str, Any] = {
    **columns_of(
        JobDefinition.model_validate(
            {
                "name": "a job",
                "schedule_expr": "* * * * *",
                "payload": {"type": "shell_script", "script": "echo hello"},
                "timeout_seconds": 30.0,
                "overlap_policy": "allow",
            }
        )
    ),
    "limits": {},
    "retry_policy": {"max_retries": 0},
    "status": JobStatus.ACTIVE,
    "anchor_at": NOON,
    "scheduled_runs": 0,
    "failures_in_a_row": 0,
    "next_run_at": NOON,
    "version": 1,
    "schedule_version": 1,
    "created_at": NOON,
    "updated_at": NOON,
}


async def migrate(url: str) -> None:
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()
