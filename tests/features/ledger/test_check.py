"""The check of the ledger: it finds each instant without a row, and none else."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.errors import ConflictError
from scheduler_service.features.ledger.records import Difference, LedgerRow, ScheduleSpan
from scheduler_service.features.ledger.rules import compare
from scheduler_service.features.ledger.service import LedgerService
from scheduler_service.features.ledger.tables import schedule_spans
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.pause_request import PauseRequest
from scheduler_service.storage import pauses
from scheduler_service.storage import runs as run_rows
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs

MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(database: Database, clock: FakeClock) -> LedgerService:
    return LedgerService(database, clock, retention_days=30)


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


@pytest.fixture
def dispatcher(database: Database, clock: FakeClock) -> Dispatcher:
    return Dispatcher(database, RecordingBroker(), clock, tick_seconds=1)


def definition(**changes: object) -> JobDefinition:
    payload = {"type": "shell_script", "script": "true"}
    known = {"name": "a", "schedule_expr": "* * * * *", "payload": payload, "overlap_policy": "queue"}
    return JobDefinition.model_validate({**known, **changes})


async def differences(ledger: LedgerService) -> tuple[Difference, ...]:
    return (await ledger.check(ADMIN, None, None)).differences


async def after_ten_minutes(jobs: JobService, dispatcher: Dispatcher, clock: FakeClock) -> Job:
    job = await jobs.create(ANN, definition())
    for _ in range(10):
        clock.advance(60)
        await dispatcher.tick()
    return job


async def test_every_owed_instant_has_a_row(
    ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    await after_ten_minutes(jobs, dispatcher, clock)
    checked = await ledger.check(ADMIN, None, None)
    assert (checked.jobs, checked.owed, checked.differences, checked.is_cut) == (1, 10, (), False)


async def test_instant_without_a_row_is_found(
    database: Database, ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await after_ten_minutes(jobs, dispatcher, clock)
    async with database.write() as connection:
        await connection.execute(delete(runs).where(runs.c.scheduled_for == NOON + 4 * MINUTE))
    assert await differences(ledger) == (Difference(job.id, "missing", NOON + 4 * MINUTE),)


async def test_row_that_is_not_owed_is_found(
    database: Database, ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await after_ten_minutes(jobs, dispatcher, clock)
    instant = NOON + 4.5 * MINUTE
    row = run_rows.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.SCHEDULE,
        scheduled_for=instant,
        priority=5,
        correlation_id="c",
        now=NOON,
    )
    async with database.write() as connection:
        await connection.execute(insert(runs).values(**row))
    assert await differences(ledger) == (Difference(job.id, "surplus", instant),)


async def test_range_of_missed_instants_counts_each(
    ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    await jobs.create(ANN, definition())
    clock.advance(600)
    await dispatcher.tick()
    checked = await ledger.check(ADMIN, None, None)
    assert (checked.owed, checked.differences) == (10, ())


@pytest.mark.parametrize(("count", "kinds"), [(2, ["missing"]), (3, []), (4, ["surplus"])])
def test_range_with_a_wrong_count_is_found(count: int, kinds: list[str]) -> None:
    span = ScheduleSpan(
        job_id=1,
        state="closed",
        begins_at=NOON,
        ends_before=NOON + 3 * MINUTE,
        schedule_expr="* * * * *",
        timezone="UTC",
        dst_gap="run_after",
        dst_fold="first",
        anchor_at=NOON,
        end_at=None,
        next_run_at=None,
        max_runs=None,
    )
    _, found = compare(span, [LedgerRow(NOON, NOON + 2 * MINUTE, count)], NOON, NOON + 3 * MINUTE)
    assert [difference.kind for difference in found] == kinds


async def test_key_of_an_owner_checks_its_jobs_only(ledger: LedgerService, jobs: JobService) -> None:
    await jobs.create(ANN, definition())
    assert ((await ledger.check(ANN, None, None)).jobs, (await ledger.check(BOB, None, None)).jobs) == (1, 0)


async def test_finished_job_is_owed_up_to_its_end(
    database: Database, ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition(end_at="2026-01-15T12:03:00Z"))
    clock.advance(300)
    await dispatcher.tick()
    assert (await ledger.check(ADMIN, job.id, None)).owed == 3
    async with database.read() as connection:
        assert (await connection.execute(select(schedule_spans.c.state))).scalars().all() == ["finished"]


async def test_edit_before_the_first_instant_leaves_no_gap(
    ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    """The new schedule can begin before the instant at which the old one would have begun."""
    job = await jobs.create(ANN, definition(schedule_expr="*/20 * * * *"))
    await jobs.patch(ANN, job.id, {"schedule_expr": "*/5 * * * *"})
    for _ in range(3):
        clock.advance(600)
        await dispatcher.tick()
    checked = await ledger.check(ADMIN, None, None)
    assert (checked.owed, checked.differences) == (6, ())


async def test_finished_job_that_gets_more_runs_owes_none_between(
    ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition(max_runs=2))
    for _ in range(3):
        clock.advance(60)
        await dispatcher.tick()
    clock.advance(300)
    await jobs.patch(ANN, job.id, {"max_runs": None})
    clock.advance(60)
    await dispatcher.tick()
    checked = await ledger.check(ADMIN, None, None)
    assert (checked.owed, checked.differences) == (3, ())


async def test_pause_before_the_first_further_run_owes_none_between(
    ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition(max_runs=1))
    clock.advance(60)
    await dispatcher.tick()
    clock.advance(300)
    await jobs.patch(ANN, job.id, {"max_runs": None})
    await jobs.pause(ANN, job.id)
    checked = await ledger.check(ADMIN, None, None)
    assert (checked.owed, checked.differences) == (1, ())


async def test_failures_pause_a_job_without_a_gap(
    database: Database, ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition(pause_after_failures=1))
    async with database.write() as connection:
        clock.advance(150)
        await pauses.count_outcome(connection, job.id, RunStatus.FAILED, clock.now())
    await dispatcher.tick()
    assert (await jobs.get(ANN, job.id)).pause_reason == "its last run failed"
    clock.advance(600)
    assert (await ledger.check(ADMIN, None, None)).owed == 2
    assert await differences(ledger) == ()


@pytest.mark.parametrize("seed", range(12))
async def test_random_edits_pauses_and_outages_leave_no_gap(
    ledger: LedgerService, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 (a test)
    policies = {"misfire_policy": chance.choice(["fire_once", "fire_all", "skip"]), "catchup_limit": 3}
    job = await jobs.create(ANN, definition(**policies, overlap_policy=chance.choice(["skip", "queue", "allow"])))
    for _ in range(40):
        clock.advance(chance.choice([7, 45, 60, 400]))
        with suppress(ConflictError):  # the job is paused or active already
            await act(chance, jobs, dispatcher, job, clock.now())
    await dispatcher.tick()
    assert await differences(ledger) == ()


async def act(chance: random.Random, jobs: JobService, dispatcher: Dispatcher, job: Job, now: datetime) -> None:
    match chance.randrange(7):
        case 0:
            await jobs.patch(ANN, job.id, {"schedule_expr": chance.choice(["90s", "*/2 * * * *", "45s"])})
        case 1:
            await jobs.pause(ANN, job.id, request=PauseRequest(until=now + 3 * MINUTE))
        case 2:
            await jobs.pause(ANN, job.id)
        case 3:
            await jobs.resume(ANN, job.id)
        case _:
            await dispatcher.tick()
