"""The regular check: what it finds, who does it, and who is shown what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.core import Metric
from sqlalchemy import delete
from structlog.testing import capture_logs
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker
from tests.features.ledger.test_check import definition

from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.features.ledger import check_store
from scheduler_service.features.ledger.checker import HOLD, LedgerChecker
from scheduler_service.features.ledger.records import Finding, RegularCheck
from scheduler_service.features.ledger.reports import LedgerReportService, metrics
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs as job_rows
from scheduler_service.storage.tables import runs

MINUTE = timedelta(minutes=1)
HOUR_SECONDS = 3600.0


def checker_of(database: Database, clock: FakeClock, *, page_jobs: int = 50) -> LedgerChecker:
    return LedgerChecker(database, clock, interval_seconds=HOUR_SECONDS, retention_days=30, page_jobs=page_jobs)


@pytest.fixture
def checker(database: Database, clock: FakeClock) -> LedgerChecker:
    return checker_of(database, clock)


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


@pytest.fixture
def dispatcher(database: Database, clock: FakeClock) -> Dispatcher:
    return Dispatcher(database, RecordingBroker(), clock, tick_seconds=1)


async def pass_minutes(dispatcher: Dispatcher, clock: FakeClock, minutes: int) -> None:
    for _ in range(minutes):
        clock.advance(60)
        await dispatcher.tick()


async def lose(database: Database, job_id: int, minute: int) -> None:
    lost = delete(runs).where(runs.c.job_id == job_id, runs.c.scheduled_for == NOON + minute * MINUTE)
    async with database.write() as connection:
        assert (await connection.execute(lost)).rowcount == 1


async def newest(database: Database) -> RegularCheck:
    async with database.read() as connection:
        found = await check_store.newest(connection)
    assert found is not None
    return found


async def shown(database: Database) -> dict[str, float]:
    async with database.snapshot() as snapshot:
        found: list[Metric] = await metrics(snapshot)
    return {family.name: family.samples[0].value for family in found}


async def test_lost_row_is_in_the_metric_and_the_log(
    database: Database, checker: LedgerChecker, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition())
    await pass_minutes(dispatcher, clock, 10)
    await lose(database, job.id, 4)
    assert set((await shown(database)).values()) == {0}
    with capture_logs() as logs:
        await checker.step()
    assert await shown(database) == {
        "scheduler_ledger_unaccounted_instants": 1,
        "scheduler_ledger_checked_timestamp_seconds": clock.now().timestamp(),
    }
    (told,) = (each for each in logs if each["event"] == "ledger_instants_unaccounted")
    assert (told["log_level"], told["owed"]) == ("warning", 10)
    assert told["first"] == [f"job {job.id}: {(NOON + 4 * MINUTE).isoformat()} (missing)"]


async def test_next_check_begins_where_the_last_one_was_settled(
    database: Database, checker: LedgerChecker, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition())
    await pass_minutes(dispatcher, clock, 10)
    clock.advance(90)  # the dispatcher is late: the instant of minute 11 has no row yet
    await checker.step()
    first = await newest(database)
    assert (first.owed, first.unaccounted, first.settled_at) == (10, 0, NOON + 11 * MINUTE)
    await dispatcher.tick()
    await lose(database, job.id, 11)
    clock.advance(HOUR_SECONDS)
    await dispatcher.tick()
    await checker.step()
    second = await newest(database)
    assert (second.since, second.unaccounted) == (first.settled_at, 1)
    assert second.owed == 61


async def test_check_is_not_repeated_before_its_time(
    database: Database, checker: LedgerChecker, clock: FakeClock
) -> None:
    await checker.step()
    clock.advance(HOUR_SECONDS - 1)
    await checker.step()
    assert (await newest(database)).id == 1
    clock.advance(1)
    await checker.step()
    assert (await newest(database)).id == 2


async def test_clock_that_was_set_back_delays_no_check(
    database: Database, checker: LedgerChecker, clock: FakeClock
) -> None:
    await checker.step()
    clock.advance(-2 * HOUR_SECONDS)
    await checker.step()
    second = await newest(database)
    assert (second.id, second.since) == (2, clock.now())


async def test_one_of_several_dispatchers_checks(database: Database, jobs: JobService, clock: FakeClock) -> None:
    for _ in range(5):
        await jobs.create(ANN, definition())
    first, second = (checker_of(database, clock, page_jobs=2) for _ in range(2))
    await first.step()
    held = await newest(database)
    assert (held.jobs, held.ended_at) == (2, None)
    await second.step()
    assert await newest(database) == held
    for _ in range(2):
        await first.step()
    ended = await newest(database)
    assert (ended.id, ended.jobs, ended.ended_at) == (1, 5, clock.now())


async def test_check_of_a_dispatcher_that_ended_is_continued(
    database: Database, jobs: JobService, clock: FakeClock
) -> None:
    for _ in range(3):
        await jobs.create(ANN, definition())
    await checker_of(database, clock, page_jobs=2).step()
    clock.advance(HOLD.total_seconds() + 1)
    await checker_of(database, clock, page_jobs=2).step()
    ended = await newest(database)
    assert (ended.id, ended.jobs, ended.ended_at) == (1, 3, clock.now())


async def test_page_counts_once_when_a_check_was_taken_over(
    database: Database, jobs: JobService, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition())
    checker = checker_of(database, clock, page_jobs=1)
    await checker.step()
    before = await newest(database)
    late = replace(before, jobs=7)
    async with database.write() as connection:
        assert await check_store.take_over(connection, before, "other", clock.now() + HOLD)
    async with database.write() as connection:
        assert not await check_store.note_page(connection, before, late, [Finding(job.id, 1, "missing", NOON)])
        assert not await check_store.take_over(connection, before, "third", clock.now() + HOLD)
        assert not await check_store.begin(connection, before)
    assert (await newest(database)).jobs == 1


async def test_owner_is_shown_findings_of_its_jobs_only(
    database: Database, checker: LedgerChecker, jobs: JobService, dispatcher: Dispatcher, clock: FakeClock
) -> None:
    reports = LedgerReportService(database)
    assert await reports.last(ANN) is None
    job = await jobs.create(ANN, definition())
    await jobs.create(BOB, definition())
    await pass_minutes(dispatcher, clock, 10)
    await lose(database, job.id, 4)
    await lose(database, job.id, 5)
    await checker.step()
    seen = {}
    for caller in (ADMIN, ANN, BOB):
        report = await reports.last(caller)
        assert report is not None
        seen[caller] = (report.unaccounted, [finding.job_id for finding in report.findings])
    assert seen == {ADMIN: (2, [job.id]), ANN: (2, [job.id]), BOB: (0, [])}


async def test_finding_of_a_deleted_job_is_dropped(
    database: Database, checker: LedgerChecker, jobs: JobService, clock: FakeClock
) -> None:
    job = await jobs.create(ANN, definition())
    await checker.step()
    before = await newest(database)
    async with database.write() as connection:
        await connection.execute(delete(job_rows))
        open_again = replace(before, id=2, ended_at=None)
        assert await check_store.begin(connection, open_again)
        assert await check_store.note_page(
            connection, open_again, replace(open_again, unaccounted=1), [Finding(job.id, 1, "missing", NOON)]
        )
        assert await check_store.findings_of(connection, 2) == []


async def test_prune_keeps_the_newest_check(database: Database, checker: LedgerChecker, clock: FakeClock) -> None:
    for _ in range(3):
        await checker.step()
        clock.advance(HOUR_SECONDS)
    async with database.write() as connection:
        assert await check_store.prune(connection, clock.now(), 10) == 2
    assert (await newest(database)).id == 3
