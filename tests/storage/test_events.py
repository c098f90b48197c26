"""Events: every change of a job or run leaves one, readers miss none, and the totals count each once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from testkit.claiming import claim_run
from testkit.databases import A_JOB, NOON, add_job
from tests.storage.stored_events import START, counts, fold, read, read_now, settle
from tests.storage.stored_runs import FAILURE, ME, SUCCESS, put

from scheduler_service.domain.events import Position
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus
from scheduler_service.storage import cancellations, events, hour_totals, jobs, totals, transitions, workers
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.due_fires import fire_due
from scheduler_service.storage.event_tables import events as event_table
from scheduler_service.storage.tables import runs as run_table
from scheduler_service.storage.totals import Total


@pytest.fixture
async def job(database: Database) -> Job:
    async with database.write() as connection:
        await workers.register(connection, ME, host="h", pid=1, slots=4, now=NOON)
    return await add_job(database)


async def changes(database: Database) -> list[str]:
    return [f"{event.subject}.{event.change}" for event in await read(database)]


async def claim(database: Database, run_id: int, attempt: int, now: datetime) -> Claimed:
    async with database.write() as connection:
        claimed = await claim_run(connection, run_id, ME, now)
    assert claimed is not None
    return claimed


async def test_run_leaves_an_event_for_each_of_its_states(database: Database, job: Job) -> None:
    run = await put(database, job)
    began, ended = NOON + timedelta(seconds=2), NOON + timedelta(seconds=5)
    first = await claim(database, run.id, 0, began)
    async with database.write() as connection:
        await transitions.retry_later(connection, first, FAILURE, ended, ended)
        await transitions.release(connection, ended, 10)
    second = await claim(database, run.id, 1, ended)
    async with database.write() as connection:
        await transitions.finish(connection, second, SUCCESS, ended + timedelta(seconds=1.5))

    found = [event for event in await read(database) if event.subject == "run"]

    assert [event.change for event in found] == ["queued", "running", "retrying", "queued", "running", "success"]
    assert {(event.job_id, event.run_id, event.job_name) for event in found} == {(job.id, run.id, "a job")}
    assert [event.lateness_seconds for event in found] == [None, 2.0, None, None, None, None]
    assert found[2].reason is Reason.EXIT_CODE
    assert (found[-1].duration_seconds, found[-1].payload_type) == (1.5, "shell_script")
    assert abs((datetime.now(UTC) - found[-1].at).total_seconds()) < 600


async def test_job_leaves_an_event_for_each_edit_and_none_for_firing(database: Database, job: Job) -> None:
    async with database.write() as connection:
        await fire_due(connection, NOON, 10, max_notices=10)
        paused = {"status": JobStatus.PAUSED, "next_run_at": None}
        edits: tuple[dict[str, Any], ...] = (
            {"name": "b"},
            paused,
            {"status": JobStatus.ACTIVE},
            {**paused, "deleted_at": NOON},
        )
        for version, values in enumerate(edits, start=2):
            await jobs.change(connection, [(job.id, {**values, "version": version})])

    assert await changes(database) == [
        "job.created", "run.queued", "job.changed", "job.paused", "job.resumed", "job.deleted",
    ]  # fmt: skip


async def test_event_of_a_missed_range_counts_its_instants(database: Database) -> None:
    await add_job(database, misfire_policy="skip")
    now = NOON + timedelta(minutes=10, seconds=30)
    async with database.write() as connection:
        await fire_due(connection, now, 10, max_notices=10)

    (missed,) = [event for event in await read(database) if event.change == "missed"]

    assert (missed.missed_count, missed.payload_type) == (10, "shell_script")


async def test_no_event_when_the_transaction_is_rolled_back(database: Database, job: Job) -> None:
    run = await put(database, job)

    async def cancel_and_fail() -> None:
        async with database.write() as connection:
            await cancellations.cancel_waiting(connection, run.id, Reason.USER, NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await cancel_and_fail()
    assert (await changes(database))[-1] == "run.queued"


async def test_events_are_filtered_by_owner(database: Database, job: Job) -> None:
    other = await add_job(database, owner_id="other")
    assert {event.job_id for event in await read(database, owner_id="other")} == {other.id}


async def test_reader_misses_no_event_of_a_late_commit(
    migrated_postgres_url: str,
) -> None:
    """The slow transaction takes its ids first: a reader that goes by ids would skip them."""
    database = Database(migrated_postgres_url)
    slow = await database._writer.connect()
    await slow.begin()
    (early,) = await jobs.add(slow, {**A_JOB, "name": "early"})
    await add_job(database, name="late")
    before = await read_now(database)
    await slow.commit()
    await slow.close()
    position = before[-1].position if before else START
    seen = before + await read(database, position)
    await database.close()

    assert sorted(event.job_name or "" for event in seen) == ["early", "late"]
    assert early.id in {event.job_id for event in seen}


async def test_totals_count_each_event_once_before_and_after_the_fold(database: Database, job: Job) -> None:
    run = await put(database, job)
    claimed = await claim(database, run.id, 0, NOON + timedelta(seconds=0.02))
    unfolded = await counts(database)
    await settle(database)
    assert await fold(database)
    assert await counts(database) == unfolded
    async with database.write() as connection:
        await transitions.finish(connection, claimed, SUCCESS, NOON + timedelta(seconds=3))
    expected = {("queued", ""): 1, ("running", ""): 1, ("success", "shell_script"): 1}
    assert await counts(database) == expected
    await settle(database)
    assert await fold(database)
    assert not await fold(database)
    assert await counts(database) == expected


async def test_totals_remain_when_events_are_pruned(database: Database, job: Job) -> None:
    for _ in range(3):
        await put(database, job, RunStatus.SKIPPED)
    future = datetime.now(UTC) + timedelta(days=1)
    async with database.write() as connection:
        assert await events.prune(connection, future, 100) == 0, "not yet counted"
    await settle(database)
    await fold(database)
    async with database.write() as connection:
        assert await events.prune(connection, future, 100) == 0, "not yet counted by hours"
        await hour_totals.fold(connection)
    async with database.write() as connection:
        assert await events.prune(connection, future, 100) == 4
    assert await counts(database) == {("skipped", "shell_script"): 3}

    await put(database, job, RunStatus.SKIPPED)
    assert (await counts(database))[("skipped", "shell_script")] == 4, "a pruned id must not come again"


async def test_totals_are_exact_under_concurrent_writes_and_folds(database: Database, job: Job) -> None:
    async def write(number: int) -> None:
        for _ in range(10):
            await put(database, job, RunStatus.SKIPPED if number % 2 else RunStatus.QUEUED)

    async def look(seen: list[int]) -> None:
        for _ in range(20):
            await fold(database)
            seen.append(sum((await counts(database)).values()))

    seen: list[int] = []
    await asyncio.gather(*(write(number) for number in range(6)), look(seen), look([]))
    async with database.read() as connection:
        rows = (await connection.execute(select(func.count()).select_from(run_table))).scalar_one()

    assert seen == sorted(seen)
    assert sum((await counts(database)).values()) == rows == 60


async def test_lateness_and_duration_are_counted_in_their_buckets(database: Database, job: Job) -> None:
    for seconds in (0.01, 0.0101, 7200.0):
        run = await put(database, job)
        claimed = await claim(database, run.id, 0, NOON + timedelta(seconds=seconds))
        async with database.write() as connection:
            await transitions.finish(connection, claimed, SUCCESS, NOON + timedelta(seconds=2 * seconds))
    async with database.snapshot() as snapshot:
        found: list[Total] = await totals.read(snapshot)

    assert sorted(total.lateness_bucket for total in found if total.change == "running") == [10, 25, totals.BEYOND]
    assert sorted(total.duration_bucket for total in found if total.change == "success") == [10, 25, totals.BEYOND]
    assert sum(total.lateness_seconds for total in found) == pytest.approx(7200.0201)


@pytest.mark.parametrize("text", ["", "1", "1-", "-1-2", "1-2-3", "a-b", "²-1", f"{2**63}-1"])
def test_invalid_position_is_none(text: str) -> None:
    assert Position.parse(text) is None


def test_position_survives_a_round_trip_as_text() -> None:
    assert Position.parse(str(Position(7, 12))) == Position(7, 12)


async def test_every_event_has_its_own_position(database: Database, job: Job) -> None:
    await put(database, job)
    async with database.read() as connection:
        ids = (await connection.execute(select(event_table.c.id))).scalars().all()
    assert len(set(ids)) == len(ids) == 2
