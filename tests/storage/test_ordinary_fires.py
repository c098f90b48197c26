"""Firing together: the ordinary jobs of a batch get the same rows as by the ledger's decision about each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update
from testkit.databases import NOON, add_job

from scheduler_service.domain.ordinary_fires import Advance
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.storage import jobs, ledger, ordinary_fires
from scheduler_service.storage.database import Database
from scheduler_service.storage.due_fires import fire_due, fire_ordinary
from scheduler_service.storage.tables import jobs as job_table
from scheduler_service.storage.tables import runs as run_table

MINUTE = timedelta(minutes=1)
KINDS: dict[str, dict[str, Any]] = {
    "cron": {},
    "cron in a zone": {"schedule_expr": "0 13 * * *", "timezone": "Europe/Berlin"},
    "interval": {"schedule_expr": "90s", "anchor_at": NOON - timedelta(seconds=90)},
    "interval with another anchor": {"schedule_expr": "90s", "anchor_at": NOON - timedelta(seconds=180)},
    "instant": {"schedule_expr": NOON.isoformat()},
    "several instants": {"schedule_expr": "1s", "anchor_at": NOON - timedelta(seconds=1)},
    "late": {"next_run_at": NOON - 10 * MINUTE},
    "late with a long grace period": {"next_run_at": NOON - 10 * MINUTE, "misfire_grace_seconds": 3600.0},
    "last instant": {"end_at": NOON + timedelta(seconds=30)},
    "jitter": {"jitter_seconds": 60.0},
    "start deadline": {"start_deadline_seconds": 5.0},
    "closed day": {"calendars": ["-weekdays"], "calendar_shift": "skip"},
    "last run": {"max_runs": 1},
    "too many failures": {"pause_after_failures": 2, "failures_in_a_row": 2},
    "skips an overlap": {"overlap_policy": "skip"},
    "cancels an overlap": {"overlap_policy": "cancel_running"},
    "queues an overlap": {"overlap_policy": "queue"},
    "unknown zone": {"timezone": "Atlantis/Capital"},
}
# Two runs of one instant differ in these.
OF_THE_ROW = {"id", "job_id", "correlation_id", "available_at", "start_by"}


@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=70)], ids=["at noon", "later"])
async def test_jobs_fire_together_as_they_fire_alone(database: Database, late: timedelta) -> None:
    instants = (NOON + late, NOON + late + MINUTE)
    together = [await add_job(database, **changes) for changes in KINDS.values()]
    for now in instants:
        await _fire_together(database, now)
    alone = [await add_job(database, **changes) for changes in KINDS.values()]
    for now in instants:
        for job in alone:
            await _fire_alone(database, job, now)
    for kind, one, other in zip(KINDS, together, alone, strict=True):
        assert await _outcome(database, one) == await _outcome(database, other), kind


async def test_number_of_statements_does_not_depend_on_the_jobs(database: Database) -> None:
    counts = []
    for number in (1, 300):
        for _ in range(number):
            await add_job(database, next_run_at=NOON)
        counts.append(await _count_statements(database, NOON))
    assert counts[0] == counts[1] <= 6


async def test_notices_are_of_the_most_urgent_runs(database: Database) -> None:
    for priority in (1, 9, 5, 7, 3):
        await add_job(database, priority=priority)
    async with database.write() as connection:
        fired = await fire_due(connection, NOON, 100, max_notices=2)
    assert [notice.priority for notice in fired.notices] == [9, 7]
    assert fired.count == 5


async def test_batch_is_limited_and_begins_with_the_longest_due(database: Database) -> None:
    newest = await add_job(database, next_run_at=NOON)
    older = await add_job(database, next_run_at=NOON - timedelta(seconds=2))
    oldest = await add_job(database, next_run_at=NOON - timedelta(seconds=3), schedule_expr="1s")
    async with database.write() as connection:
        locked = await ordinary_fires.lock_due(connection, NOON, 2)
    assert {job_id for group in locked.groups for job_id in group.job_ids} == {older.id, oldest.id}
    assert newest.id not in locked.others


@pytest.mark.parametrize(
    "meanwhile", [{"schedule_version": 2}, {"next_run_at": NOON + 5 * MINUTE}], ids=["edited", "moved on"]
)
async def test_job_that_was_changed_after_it_was_read_stays(database: Database, meanwhile: dict[str, Any]) -> None:
    job = await add_job(database)
    advance = Advance(job.id, 1, NOON, NOON + MINUTE)
    async with database.write() as connection:
        await connection.execute(update(job_table).values(meanwhile))
        assert await ordinary_fires.fire(connection, [advance], NOON, 10) == ()
    status, next_run_at, _, rows = await _outcome(database, job)
    assert (status, next_run_at, rows) == (JobStatus.ACTIVE, meanwhile.get("next_run_at", NOON), [])


async def test_direct_writer_fires_ordinary_jobs_and_leaves_others(database: Database) -> None:
    ordinary, other = await add_job(database, tags=["a"]), await add_job(database, **KINDS["jitter"])

    writer = database.direct(plans_once=False)
    fired = await writer.transact(lambda connection: fire_ordinary(connection, NOON, 10, max_notices=10))

    assert (fired.count, fired.left) == (2, (other.id,))
    assert [notice.tags for notice in fired.notices] == [("a",)]
    alone = await add_job(database, tags=["a"])
    await _fire_alone(database, alone, NOON)
    assert await _outcome(database, ordinary) == await _outcome(database, alone)
    assert (await _outcome(database, other))[1:] == (NOON, 0, [])


async def _fire_together(database: Database, now: datetime) -> None:
    count = 1
    while count:
        async with database.write() as connection:
            count = (await fire_due(connection, now, 1000, max_notices=1000)).count


async def _fire_alone(database: Database, job: Job, now: datetime) -> None:
    due = True
    while due:
        async with database.write() as connection:
            found = [each for each in await jobs.find_due(connection, [job.id]) if each.next_run_at <= now]
            await ledger.fire(connection, found, now)
            due = bool(found)


async def _outcome(database: Database, job: Job) -> tuple[Any, ...]:
    """Return what became of a job, and its rows without their identity."""
    query = select(run_table).where(run_table.c.job_id == job.id).order_by(run_table.c.scheduled_for)
    async with database.read() as connection:
        after = await jobs.find(connection, job.id)
        rows = (await connection.execute(query)).mappings().all()
    assert after is not None
    kept = [{name: value for name, value in row.items() if name not in OF_THE_ROW} for row in rows]
    return after.status, after.next_run_at, after.scheduled_runs, kept


async def _count_statements(database: Database, now: datetime) -> int:
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    async with database.write() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await fire_due(connection, now, 1000, max_notices=10)
    return count
