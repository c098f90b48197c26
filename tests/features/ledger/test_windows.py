"""The ledger of a window: what became of the instants, what is planned, and what was not owed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker
from tests.storage.stored_runs import put

from scheduler_service.domain.hours import hour_of
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.metrics_fold import MetricsFold
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.features.ledger import windows as windows_service
from scheduler_service.features.ledger.cells import Bucket, Counted, LedgerWindow, begin_of, cells_of
from scheduler_service.features.ledger.windows import LedgerWindowService
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database

HOUR = timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def windows(database: Database, clock: FakeClock) -> LedgerWindowService:
    return LedgerWindowService(database, clock, retention_days=30)


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


async def add(jobs: JobService, schedule_expr: str = "*/10 * * * *") -> Job:
    payload = {"type": "shell_script", "script": "true"}
    known = {"name": "a", "schedule_expr": schedule_expr, "payload": payload, "overlap_policy": "allow"}
    return await jobs.create(ANN, JobDefinition.model_validate(known))


async def after_two_hours(database: Database, jobs: JobService, clock: FakeClock) -> Job:
    """Return a job with a run for each instant of an hour, and one row for those missed in the next hour."""
    job = await add(jobs)
    dispatcher = Dispatcher(database, RecordingBroker(), clock, tick_seconds=1)
    for _ in range(6):
        clock.advance(600)
        await dispatcher.tick()
    clock.advance(3600)
    await dispatcher.tick()
    return job


async def of_both(windows: LedgerWindowService, job: Job, until: datetime) -> tuple[LedgerWindow, LedgerWindow]:
    """Return the window of all jobs and that of the only one."""
    period = windows.period(hour_of(NOON), until, "hour")
    everything = await windows.of_all(ANN, None, period, "hour", UTC_ZONE)
    return everything, await windows.of_job(ANN, job.id, period, "hour", UTC_ZONE)


async def test_owed_instants_are_served_skipped_or_missed(
    database: Database, windows: LedgerWindowService, jobs: JobService, clock: FakeClock
) -> None:
    job = await after_two_hours(database, jobs, clock)
    for _ in range(2):  # before and after the rows are folded into figures
        everything, of_job = await of_both(windows, job, clock.now())
        assert [(cell.at, cell.by_status, cell.by_reason) for cell in everything.cells if cell.owed] == [
            (cell.at, cell.by_status, cell.by_reason) for cell in of_job.cells if cell.owed
        ]
        assert everything.instants() == everything.served + everything.instants(RunStatus.MISSED) == 11
        await MetricsFold(database).fold()


async def test_instants_to_come_are_planned(
    database: Database, windows: LedgerWindowService, jobs: JobService, clock: FakeClock
) -> None:
    job = await add(jobs)

    everything, of_job = await of_both(windows, job, NOON + 2 * HOUR)

    assert (everything.planned, of_job.planned) == (1, 11)
    assert [cell.planned for cell in of_job.cells] == [5, 6]


async def test_pause_is_not_owed(windows: LedgerWindowService, jobs: JobService, clock: FakeClock) -> None:
    clock.advance(3600)
    job = await add(jobs)
    clock.advance(600)
    await jobs.pause(ANN, job.id)

    _, window = await of_both(windows, job, NOON + 5 * HOUR)

    first, pause = window.not_owed
    assert (first.begin, pause.end) == (hour_of(NOON), window.period.end)
    assert first.end <= pause.begin < clock.now() + HOUR


async def test_ledger_of_another_owner_is_not_shown(
    database: Database, windows: LedgerWindowService, jobs: JobService, clock: FakeClock
) -> None:
    job = await after_two_hours(database, jobs, clock)
    period = windows.period(None, clock.now(), "hour")

    assert (await windows.of_all(BOB, None, period, "hour", UTC_ZONE)).cells == ()
    assert (await windows.of_all(BOB, "ann", period, "hour", UTC_ZONE)).cells == ()
    assert (await windows.of_all(ADMIN, "ann", period, "hour", UTC_ZONE)).instants() == 11
    with pytest.raises(NotFoundError):
        await windows.of_job(BOB, job.id, period, "hour", UTC_ZONE)


async def test_range_that_began_before_the_window_reaches_into_it(
    database: Database, windows: LedgerWindowService, jobs: JobService, clock: FakeClock
) -> None:
    job = await add(jobs, "2099-01-01T00:00:00Z")
    covered = {
        "scheduled_for": NOON,
        "missed_until": NOON + 3 * HOUR,
        "missed_count": 4,
        "finished_at": NOON + 4 * HOUR,
    }
    await put(database, job, RunStatus.MISSED, trigger=Trigger.SCHEDULE, **covered)
    clock.advance(4 * 3600)
    period = windows.period(hour_of(NOON) + 2 * HOUR, NOON + 4 * HOUR, "hour")

    for window in (
        await windows.of_all(ANN, None, period, "hour", UTC_ZONE),
        await windows.of_job(ANN, job.id, period, "hour", UTC_ZONE),
    ):
        assert window.instants(RunStatus.MISSED) == 2


async def test_range_is_found_in_each_hour_that_it_reaches(
    database: Database, windows: LedgerWindowService, jobs: JobService
) -> None:
    job = await add(jobs, "2099-01-01T00:00:00Z")
    covered = {"scheduled_for": NOON, "missed_until": NOON + 2 * HOUR, "missed_count": 3}
    run_id = (await put(database, job, RunStatus.MISSED, trigger=Trigger.SCHEDULE, **covered)).id
    found = [await windows.range_into(ANN, job.id, NOON + hours * HOUR) for hours in range(4)]
    assert [row and row.id for row in found] == [None, run_id, run_id, None]
    with pytest.raises(NotFoundError):
        await windows.range_into(BOB, job.id, NOON)


async def test_window_of_too_many_cells_is_refused(windows: LedgerWindowService) -> None:
    with pytest.raises(InvalidInputError, match="bucket=day"):
        windows.period(NOON - timedelta(days=20), NOON + timedelta(days=40), "hour")


@pytest.mark.parametrize(
    ("hour", "bucket", "begin"),
    [
        (datetime(2026, 3, 29, 22, tzinfo=UTC), "day", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime(2026, 3, 29, 21, tzinfo=UTC), "day", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (datetime(2026, 3, 29, 21, tzinfo=UTC), "hour", datetime(2026, 3, 29, 21, tzinfo=UTC)),
    ],
)
def test_days_are_those_of_the_zone(hour: datetime, bucket: Bucket, begin: datetime) -> None:
    assert begin_of(hour, bucket, BERLIN) == begin


def test_repeated_hour_of_a_clock_change_has_two_cells() -> None:
    hours = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]  # both are 02:00 in Berlin
    counted = [Counted(hour, RunStatus.SUCCESS, None, 1) for hour in hours]

    assert [cell.at for cell in cells_of(counted, [], "hour", BERLIN)] == hours


@pytest.mark.parametrize("owner_id", [None, "ann"])
async def test_planned_instants_are_counted_up_to_a_limit(
    windows: LedgerWindowService, jobs: JobService, monkeypatch: pytest.MonkeyPatch, owner_id: str | None
) -> None:
    for _ in range(3):
        await add(jobs, "0 13 * * *")
    await add(jobs, "0 15 * * *")
    period = windows.period(hour_of(NOON), NOON + timedelta(hours=6), "hour")

    all_planned = await windows.of_all(ADMIN, owner_id, period, "hour", UTC_ZONE)
    monkeypatch.setattr(windows_service, "MAX_PLANNED", 2)
    cut = await windows.of_all(ADMIN, owner_id, period, "hour", UTC_ZONE)

    assert [cell.planned for cell in all_planned.cells] == [3, 1]
    assert [cell.planned for cell in cut.cells] == [2]
    assert (all_planned.is_planned_cut, cut.is_planned_cut) == (False, True)
