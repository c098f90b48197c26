"""Statistics: exact for few runs, from the figures of hours for many, in steps, and of one job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock
from tests.storage.stored_runs import put

from scheduler_service.domain.hours import HOUR, hour_of
from scheduler_service.domain.outcomes import Spread, spread_of_buckets
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.metrics_fold import MetricsFold
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.services import stats as stats_service
from scheduler_service.services.stats import StatsService
from scheduler_service.storage import stats as stored_stats
from scheduler_service.storage.database import Database
from scheduler_service.storage.hour_counts import BUCKETS

WINDOW = timedelta(hours=6)


@pytest.fixture
def service(database: Database, clock: FakeClock) -> StatsService:
    clock.advance(5 * 3600)
    return StatsService(database, clock, heartbeat_seconds=1)


async def end(
    database: Database, job: Job, minutes: int, seconds: float, status: RunStatus = RunStatus.SUCCESS
) -> None:
    at = NOON + timedelta(minutes=minutes)
    reason = None if status is RunStatus.SUCCESS else Reason.EXIT_CODE
    spans = {"started_at": at - timedelta(seconds=seconds), "finished_at": at, "lateness_seconds": 0.5}
    await put(database, job, status, reason=reason, scheduled_for=at, **spans)


@pytest.fixture
async def job(database: Database) -> Job:
    """A job of which eight runs succeeded and two failed, within four hours."""
    job = await add_job(database, owner_id="ann")
    for number in range(10):
        status = RunStatus.FAILED if number % 5 == 4 else RunStatus.SUCCESS
        await end(database, job, 24 * number, 1 + number, status)
    return job


@pytest.mark.usefixtures("job")
async def test_long_history_has_the_counts_of_its_runs(
    service: StatsService, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = await service.read(ANN, WINDOW)
    monkeypatch.setattr(stats_service, "MAX_EXACT", 5)
    for _ in range(2):  # before and after the events are folded
        counted = await service.read(ANN, WINDOW)

        assert (exact.is_exact, counted.is_exact) == (True, False)
        assert counted.outcomes == exact.outcomes
        assert counted.since == hour_of(exact.since)
        for shown, true in ((counted.duration_seconds, exact.duration_seconds),):
            assert shown.p50 == pytest.approx(true.p50, rel=0.3)
            assert shown.p95 == pytest.approx(true.p95, rel=0.3)
        await MetricsFold(database).fold()
    assert (await service.read(BOB, WINDOW)).outcomes == ()


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("step", [HOUR, timedelta(hours=2)])
async def test_steps_add_up_to_the_window(service: StatsService, step: timedelta) -> None:
    read = await service.read(ANN, WINDOW, step)

    assert read.series is not None
    assert [each.at for each in read.series] == [hour_of(read.since) + n * step for n in range(len(read.series))]
    assert sum(each.by_status.get(RunStatus.FAILED, 0) for each in read.series) == 2
    assert sum(sum(each.by_status.values()) for each in read.series) == 10
    assert any(each.duration_seconds.p95 for each in read.series)


async def test_steps_of_minutes_are_read_from_the_runs(service: StatsService, database: Database) -> None:
    await end(database, await add_job(database, owner_id="ann"), 5 * 60 - 7, 2)

    read = await service.read(ANN, HOUR, timedelta(minutes=5))

    assert read.series is not None
    assert len(read.series) == 12
    assert [number for number, each in enumerate(read.series) if each.by_status] == [10]


@pytest.mark.parametrize(("window", "step"), [(timedelta(days=1), timedelta(minutes=5)), (timedelta(days=300), HOUR)])
async def test_too_many_or_too_short_steps_are_refused(
    service: StatsService, window: timedelta, step: timedelta
) -> None:
    with pytest.raises(InvalidInputError):
        await service.read(ADMIN, window, step)


async def test_figures_of_a_job_are_exact(service: StatsService, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await service.of_job(ANN, job.id, WINDOW)
    monkeypatch.setattr(stored_stats, "NEWEST_OF_JOB", 4)
    newest = await service.of_job(ANN, job.id, WINDOW)

    assert {each.status: each.rows for each in whole.ended.outcomes} == {RunStatus.SUCCESS: 8, RunStatus.FAILED: 2}
    assert (whole.is_cut, newest.is_cut) == (False, True)
    assert sum(each.rows for each in newest.ended.outcomes) == 4
    assert whole.ended.duration_seconds == Spread(5, 10)
    with pytest.raises(NotFoundError):
        await service.of_job(BOB, job.id, WINDOW)


@pytest.mark.parametrize("seconds", [0.001, 0.9, 7, 3600])
def test_interpolated_percentile_is_near_the_value(seconds: float) -> None:
    bucket = next(bound for bound in BUCKETS if seconds * 1000 <= bound)

    spread = spread_of_buckets({bucket: 100}, BUCKETS)

    assert spread.p50 == pytest.approx(seconds, rel=0.5 if seconds < 0.01 else 0.27)
    assert spread_of_buckets({}, BUCKETS) == Spread()
