"""Firing: each instant gets exactly one row, however many dispatchers run."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from testkit.databases import NOON, add_job

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus
from scheduler_service.storage import jobs, ledger, run_lists, transitions
from scheduler_service.storage.database import Database
from scheduler_service.storage.due_fires import fire_due
from scheduler_service.storage.ledger import Fired
from scheduler_service.storage.tables import jobs as job_table
from scheduler_service.storage.tables import runs as run_table

MINUTE = timedelta(minutes=1)


async def fire(database: Database, now: datetime, limit: int = 500) -> Fired:
    async with database.write() as connection:
        return await fire_due(connection, now, limit, max_notices=1000)


async def rows_of(database: Database, job: Job) -> list[Run]:
    async with database.read() as connection:
        listing = await run_lists.page(connection, RunFilter(job_id=job.id), Page(size=1000))
    return sorted(listing.items, key=lambda run: run.scheduled_for)


async def reread(database: Database, job: Job) -> Job:
    async with database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found is not None
    return found


async def test_due_instant_becomes_a_queued_run_and_the_job_moves_on(database: Database) -> None:
    job = await add_job(database, priority=7, tags=["gpu"])
    fired = await fire(database, NOON)
    (run,) = await rows_of(database, job)
    assert (run.status, run.scheduled_for, run.attempt) == (RunStatus.QUEUED, NOON, 0)
    assert (await reread(database, job)).next_run_at == NOON + MINUTE
    assert fired.notices == (RunNotice(run.id, 0, 7, run.correlation_id, ("gpu",)),)


async def test_job_does_not_fire_before_its_instant(database: Database) -> None:
    job = await add_job(database)
    await fire(database, NOON - timedelta(microseconds=1))
    assert await rows_of(database, job) == []


async def test_paused_job_does_not_fire(database: Database) -> None:
    job = await add_job(database, status=JobStatus.PAUSED, next_run_at=None)
    await fire(database, NOON + MINUTE)
    assert await rows_of(database, job) == []


async def test_job_is_finished_after_its_last_instant(database: Database) -> None:
    job = await add_job(database, schedule_expr=NOON.isoformat())
    await fire(database, NOON)
    after = await reread(database, job)
    assert (after.status, after.next_run_at) == (JobStatus.FINISHED, None)


async def test_five_concurrent_dispatchers_fire_each_instant_once(database: Database) -> None:
    made = [await add_job(database) for _ in range(60)]

    async def dispatch() -> None:
        while (await fire(database, NOON, limit=7)).notices:
            pass

    await asyncio.gather(*(dispatch() for _ in range(5)))
    assert [[run.scheduled_for for run in await rows_of(database, job)] for job in made] == [[NOON]] * len(made)


async def test_instant_with_a_row_is_not_fired_again(database: Database) -> None:
    """The next instant can move back when a clock goes back, or by an edit on a host with a slow clock."""
    job = await add_job(database)
    other = await add_job(database)
    await fire(database, NOON)
    async with database.write() as connection:
        await connection.execute(update(job_table).values(next_run_at=NOON))
    await fire(database, NOON)
    assert [len(await rows_of(database, each)) for each in (job, other)] == [1, 1]
    assert (await reread(database, job)).next_run_at == NOON + MINUTE


async def test_outage_leaves_one_row_for_the_missed_range(database: Database) -> None:
    job = await add_job(database, misfire_policy="skip", misfire_grace_seconds=30)
    await fire(database, NOON + timedelta(minutes=10, seconds=10))
    missed, fired = await rows_of(database, job)
    assert (missed.status, missed.reason) == (RunStatus.MISSED, Reason.MISFIRE)
    assert (missed.scheduled_for, missed.missed_until, missed.missed_count) == (NOON, NOON + 9 * MINUTE, 10)
    assert (fired.status, fired.scheduled_for) == (RunStatus.QUEUED, NOON + 10 * MINUTE)


async def test_overlapping_instant_is_skipped_with_its_reason(database: Database) -> None:
    job = await add_job(database, overlap_policy="skip")
    await fire(database, NOON)
    await fire(database, NOON + MINUTE)
    _, skipped = await rows_of(database, job)
    assert (skipped.status, skipped.reason) == (RunStatus.SKIPPED, Reason.OVERLAP)


async def test_cancel_running_cancels_the_active_run(database: Database) -> None:
    job = await add_job(database, overlap_policy="cancel_running")
    await fire(database, NOON)
    await fire(database, NOON + MINUTE)
    first, second = await rows_of(database, job)
    assert (first.status, first.reason) == (RunStatus.CANCELLED, Reason.OVERLAP)
    assert second.status is RunStatus.QUEUED


async def test_long_backlog_is_fired_in_several_ticks(database: Database) -> None:
    job = await add_job(
        database, schedule_expr="1s", next_run_at=NOON + timedelta(seconds=1), misfire_grace_seconds=3600.0
    )
    now = NOON + timedelta(seconds=1200)
    while (await reread(database, job)).next_run_at <= now:  # type: ignore[operator]
        await fire(database, now)
    async with database.read() as connection:
        instants = (await connection.execute(select(run_table.c.scheduled_for))).scalars().all()
    assert sorted(instants) == [NOON + timedelta(seconds=second) for second in range(1, 1201)]


async def test_jitter_delays_the_run_but_not_its_instant(database: Database) -> None:
    job = await add_job(database, jitter_seconds=600.0)
    fired = await fire(database, NOON)
    (run,) = await rows_of(database, job)
    assert fired.notices == ()
    assert run.scheduled_for == NOON
    assert NOON < run.available_at <= NOON + timedelta(seconds=600)
    assert run.notified_at is None


async def test_run_that_waits_for_its_jitter_counts_as_active(database: Database) -> None:
    job = await add_job(database, jitter_seconds=600.0, overlap_policy="skip")
    await fire(database, NOON)
    await fire(database, NOON + MINUTE)
    first, second = await rows_of(database, job)
    assert first.available_at > NOON + MINUTE
    assert (first.status, second.status, second.reason) == (RunStatus.QUEUED, RunStatus.SKIPPED, Reason.OVERLAP)


async def test_jittered_run_is_released_when_its_delay_is_over(database: Database) -> None:
    job = await add_job(database, jitter_seconds=600.0, tags=["gpu"])
    await fire(database, NOON)
    (run,) = await rows_of(database, job)
    async with database.write() as connection:
        assert await transitions.release(connection, NOON, 10) == []
        (released,) = await transitions.release(connection, NOON + timedelta(seconds=600), 10)
        assert await transitions.release(connection, NOON + timedelta(seconds=600), 10) == []
    assert (released.run_id, released.tags) == (run.id, ("gpu",))


async def test_job_with_an_unknown_zone_is_paused_and_others_fire(database: Database) -> None:
    broken = await add_job(database, timezone="Atlantis/Capital")
    sound = await add_job(database)
    fired = await fire(database, NOON)
    assert [job.id for job, _ in fired.broken] == [broken.id]
    assert (await reread(database, broken)).status is JobStatus.PAUSED
    assert len(await rows_of(database, sound)) == 1


@pytest.mark.parametrize(
    "meanwhile",
    [{"schedule_version": 2, "schedule_expr": "5 * * * *"}, {"next_run_at": NOON + 5 * MINUTE}],
    ids=["edited", "moved on by another dispatcher"],
)
async def test_dispatcher_leaves_a_job_that_was_changed_meanwhile(
    database: Database, meanwhile: dict[str, Any]
) -> None:
    job = await add_job(database)
    stale = [jobs.as_due(job)]
    async with database.write() as connection:
        await jobs.change(connection, [(job.id, meanwhile)])
        await ledger.fire(connection, stale, NOON)
    assert (await reread(database, job)).next_run_at == meanwhile.get("next_run_at", job.next_run_at)
