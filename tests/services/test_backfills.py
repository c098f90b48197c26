"""Backfills: runs of past instants beside a ledger that stays as it is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.backfill import Outcome
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.errors import ConflictError, InvalidInputError, NotFoundError
from scheduler_service.features.ledger.service import LedgerService
from scheduler_service.services.backfill_request import read_backfill_request
from scheduler_service.services.backfills import Backfill
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs

MINUTE = timedelta(minutes=1)
WEEK = "2026-01-12T00:00:00Z"


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


@pytest.fixture
def dispatcher(database: Database, clock: FakeClock) -> Dispatcher:
    return Dispatcher(database, RecordingBroker(), clock, tick_seconds=1)


def definition(**changes: object) -> JobDefinition:
    payload = {"type": "shell_script", "script": "true"}
    known = {"name": "a", "schedule_expr": "* * * * *", "payload": payload, "overlap_policy": "allow"}
    return JobDefinition.model_validate({**known, **changes})


async def backfill(jobs: JobService, job: Job, **changes: object) -> Backfill:
    window = {"from": "2026-01-15T12:01:00Z", "to": "2026-01-15T12:10:00Z"}
    return await jobs.backfill(ANN, job.id, read_backfill_request({**window, **changes}))  # type: ignore[dict-item]


def minutes(found: Backfill) -> list[tuple[int, str]]:
    return [(each.scheduled_for.minute, each.outcome.value) for each in found.chosen]


async def end(database: Database, status: RunStatus, instants: Sequence[datetime], trigger: str = "schedule") -> None:
    exit_code = 0 if status is RunStatus.SUCCESS else 1
    chosen = (runs.c.scheduled_for.in_(instants), runs.c.trigger == trigger, runs.c.finished_at.is_(None))
    async with database.write() as connection:
        await connection.execute(
            update(runs).where(*chosen).values(status=status, exit_code=exit_code, finished_at=NOON)
        )


async def after_an_outage(jobs: JobService, dispatcher: Dispatcher, clock: FakeClock) -> Job:
    """Return a job with runs at 1, 2, 9 and 10, and one missed row from 3 to 8."""
    job = await jobs.create(ANN, definition())
    for seconds in (60, 60, 480):
        clock.advance(seconds)
        await dispatcher.tick()
    return job


async def test_each_missed_instant_of_a_range_is_run_once(
    database: Database, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await after_an_outage(jobs, dispatcher, clock)
    missed = [(minute, "missed") for minute in range(3, 9)]

    planned = await backfill(jobs, job, dry_run=True)
    assert (planned.matched, minutes(planned), planned.run_ids) == (6, missed, {})
    done = await backfill(jobs, job, max_runs=2, order="newest_first")
    assert (done.matched, minutes(done), len(done.run_ids)) == (6, missed[:-3:-1], 2)
    rest = await backfill(jobs, job)
    assert (minutes(rest), len(rest.run_ids)) == (missed[:-2], 4)
    assert (await backfill(jobs, job)).matched == 0

    async with database.read() as connection:
        query = select(runs).where(runs.c.trigger == Trigger.BACKFILL).order_by(runs.c.scheduled_for)
        added = (await connection.execute(query)).all()
    assert [run.scheduled_for for run in added] == [NOON + minute * MINUTE for minute in range(3, 9)]
    assert {(run.priority, run.job_version) for run in added} == {(4, 1)}
    checked = await LedgerService(database, clock, retention_days=30).check(ADMIN, job.id, None)
    assert (checked.owed, checked.differences) == (10, ())


async def test_failed_instant_is_run_until_it_succeeds(
    database: Database, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await after_an_outage(jobs, dispatcher, clock)
    await end(database, RunStatus.SUCCESS, [NOON + MINUTE])
    await end(database, RunStatus.FAILED, [NOON + 2 * MINUTE])

    assert minutes(await backfill(jobs, job, only="failed")) == [(2, "failed")]
    assert (await backfill(jobs, job, only="failed")).matched == 0  # its backfill run has not ended
    await end(database, RunStatus.FAILED, [NOON + 2 * MINUTE], "backfill")
    assert minutes(await backfill(jobs, job, only="failed")) == [(2, "failed")]
    await end(database, RunStatus.SUCCESS, [NOON + 2 * MINUTE], "backfill")
    assert (await backfill(jobs, job, only="failed")).matched == 0
    everything = await backfill(jobs, job, only="all", dry_run=True)
    assert minutes(everything)[:3] == [(1, "success"), (2, "success"), (3, "missed")]
    assert everything.matched == 8  # the runs of 9 and 10 have not ended


async def test_instants_before_the_job_existed_are_gaps(jobs: JobService, clock: FakeClock) -> None:
    job = await jobs.create(ANN, definition(schedule_expr="0 6 * * *", calendars=["business-days"]))
    found = await backfill(jobs, job, **{"from": "2026-01-09T00:00:00Z", "to": "2026-01-13T23:00:00Z"})
    assert [(each.scheduled_for.day, each.outcome) for each in found.chosen] == [
        (9, Outcome.GAP),
        (12, Outcome.GAP),
        (13, Outcome.GAP),
    ]


async def test_schedule_goes_on_during_a_backfill(
    database: Database, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition(overlap_policy="cancel_running"))
    await backfill(jobs, job, **{"from": WEEK, "to": "2026-01-12T00:05:00Z"})
    clock.advance(60)
    await dispatcher.tick()
    await jobs.run(ANN, job.id)
    async with database.read() as connection:
        query = select(runs.c.trigger, runs.c.status).where(runs.c.trigger != Trigger.BACKFILL)
        others = (await connection.execute(query.order_by(runs.c.id))).all()
        left = (await connection.execute(select(runs.c.status).where(runs.c.trigger == Trigger.BACKFILL))).scalars()
        assert set(left) == {RunStatus.QUEUED}
    assert [tuple(row) for row in others] == [("schedule", "cancelled"), ("manual", "queued")]


async def test_window_is_checked(jobs: JobService, clock: FakeClock) -> None:
    job = await jobs.create(ANN, definition(schedule_expr="* * * * * *"))
    with pytest.raises(InvalidInputError, match="to: lies in the future"):
        await backfill(jobs, job)
    with pytest.raises(InvalidInputError, match="from: the window names 302401 instants"):
        await backfill(jobs, job, **{"from": WEEK, "to": "2026-01-15T12:00:00Z"})
    with pytest.raises(InvalidInputError, match="must not be earlier than from"):
        await backfill(jobs, job, **{"from": WEEK, "to": "2026-01-11T00:00:00Z"})
    with pytest.raises(NotFoundError):
        await jobs.backfill(BOB, job.id, read_backfill_request({"from": WEEK, "to": WEEK}))
    on_demand = await jobs.create(ANN, definition(schedule_expr=None))
    with pytest.raises(ConflictError, match="runs on demand"):
        await backfill(jobs, on_demand, **{"from": WEEK, "to": WEEK})


@pytest.mark.parametrize("seed", range(5))
async def test_ledger_stays_true_and_no_instant_is_run_twice_at_once(
    database: Database, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 (reproducible)
    job = await jobs.create(ANN, definition(overlap_policy=chance.choice(["skip", "queue", "allow"])))
    for _ in range(12):
        clock.advance(chance.choice([20, 60, 200, 600]))
        step = chance.randrange(5)
        if step == 0:
            await jobs.patch(ANN, job.id, {"schedule_expr": chance.choice(["* * * * *", "*/3 * * * *", "2m"])})
        elif step == 1:
            await end(database, chance.choice([RunStatus.SUCCESS, RunStatus.FAILED]), [clock.now() - MINUTE])
        elif step == 2:
            only, order = chance.choice(["missed", "failed", "all"]), chance.choice(["oldest_first", "newest_first"])
            window = {"from": "2026-01-15T11:30:00Z", "to": clock.now().isoformat()}
            await backfill(jobs, job, **window, only=only, order=order, max_runs=chance.choice([1, 5, 100]))
        await dispatcher.tick()
    checked = await LedgerService(database, clock, retention_days=30).check(ADMIN, job.id, None)
    assert checked.differences == ()
    async with database.read() as connection:
        query = select(runs.c.scheduled_for).where(runs.c.trigger == Trigger.BACKFILL, runs.c.finished_at.is_(None))
        active = (await connection.execute(query)).scalars().all()
    assert len(active) == len(set(active))
