"""Statements on jobs, and on the runs that a job's limit lets through."""

from __future__ import annotations

from datetime import datetime, timedelta

from testkit.claiming import claim_all, claim_run
from testkit.databases import NOON, add_job

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.storage import jobs, runs, workers
from scheduler_service.storage.database import Database


async def queue(database: Database, job: Job, priority: int = 5, available_at: datetime = NOON) -> Run:
    row = runs.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.MANUAL,
        scheduled_for=NOON,
        priority=priority,
        correlation_id="c",
        now=NOON,
    )
    async with database.write() as connection:
        return await runs.add(connection, row | {"available_at": available_at})


async def claimable(database: Database) -> list[int]:
    """Claim all that can be claimed, for a new worker."""
    async with database.write() as connection:
        await workers.register(connection, "another", host="h", pid=1, slots=1, now=NOON)
        return [claimed.run.id for claimed in await claim_all(connection, "another", NOON)]


async def test_last_run_is_not_replaced_by_an_older_one(database: Database) -> None:
    job = await add_job(database)
    async with database.write() as connection:
        await jobs.note_last_run(connection, job.id, NOON, RunStatus.SUCCESS)
        await jobs.note_last_run(connection, job.id, NOON - timedelta(hours=1), RunStatus.FAILED)
        found = await jobs.find(connection, job.id)
    assert found is not None
    assert (found.last_run_at, found.last_run_status) == (NOON, RunStatus.SUCCESS)


async def test_claimable_runs_are_sorted_by_priority_then_time(database: Database) -> None:
    job = await add_job(database, overlap_policy="allow")
    late = await queue(database, job, available_at=NOON)
    early = await queue(database, job, available_at=NOON - timedelta(seconds=1))
    urgent = await queue(database, job, priority=9)
    assert await claimable(database) == [urgent.id, early.id, late.id]


async def test_runs_of_a_job_at_its_limit_are_not_claimable(database: Database) -> None:
    limited, other = await add_job(database, overlap_policy="queue"), await add_job(database)
    first, _, free = await queue(database, limited), await queue(database, limited), await queue(database, other)
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
        assert await claim_run(connection, first.id, "w", NOON) is not None
    assert await claimable(database) == [free.id]


async def test_run_is_not_claimable_before_its_time(database: Database) -> None:
    await queue(database, await add_job(database), available_at=NOON + timedelta(microseconds=1))
    assert await claimable(database) == []
