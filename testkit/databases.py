"""Rows that tests put into a database directly, without the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger
from scheduler_service.storage import jobs, migrations, runs, workers
from scheduler_service.storage.database import Database

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


async def add_job(database: Database, **changes: Any) -> Job:
    """Store a job that is due every minute from noon on, or as `changes` say."""
    async with database.write() as connection:
        return await jobs.add(connection, {**A_JOB, **changes})


async def add_running(database: Database) -> Run:
    """Store a run of a new job that a new worker `w` executes."""
    job = await add_job(database)
    row = runs.queued_row(
        job_id=job.id, trigger=Trigger.MANUAL, scheduled_for=NOON, priority=5, correlation_id="c", now=NOON
    )
    running = {"status": RunStatus.RUNNING, "attempt": 1, "worker_id": "w", "started_at": NOON}
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
        return await runs.add(connection, row | running)


A_JOB: dict[str, Any] = {
    "name": "a job",
    "description": "",
    "owner_id": "",
    "tags": [],
    "status": JobStatus.ACTIVE,
    "schedule_expr": "* * * * *",
    "timezone": "UTC",
    "dst_gap": "run_after",
    "dst_fold": "first",
    "anchor_at": NOON,
    "start_at": None,
    "end_at": None,
    "jitter_seconds": 0.0,
    "payload": {"type": "shell_script", "script": "echo hello"},
    "env": {},
    "args": {},
    "files": {},
    "grants": [],
    "limits": {},
    "timeout_seconds": 30.0,
    "retry_policy": {"max_retries": 0},
    "priority": 5,
    "overlap_policy": "allow",
    "max_concurrency": 1,
    "misfire_policy": "fire_once",
    "misfire_grace_seconds": 60.0,
    "catchup_limit": 100,
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
