"""The detector finds every cause of an alert and stores each once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock
from tests.database_fixtures import ON_SQLITE
from tests.storage.stored_events import settle

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.engine.metrics_fold import MetricsFold
from scheduler_service.features.alerts import deliveries, store
from scheduler_service.features.alerts.deliveries import Shares
from scheduler_service.features.alerts.detector import AlertDetector
from scheduler_service.features.alerts.records import AlertRule
from scheduler_service.features.alerts.rules import Alert, AlertKind
from scheduler_service.features.alerts.store import OVERDUE_BATCH
from scheduler_service.features.alerts.tables import deliveries as delivery_table
from scheduler_service.features.alerts.tables import failing_jobs
from scheduler_service.storage import runs, workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.event_tables import events as event_table
from scheduler_service.storage.tables import runs as run_table

A_RULE: dict[str, Any] = {
    "name": "a rule",
    "late_seconds": 60.0,
    "too_long_seconds": 60.0,
    "failures": 2,
    "window_seconds": 600.0,
    "channel": {"type": "webhook", "url": "https://example.org/", "secret": None},
    "enabled": True,
    "created_at": NOON,
    "updated_at": NOON,
}


@pytest.fixture
async def job(database: Database) -> Job:
    return await add_job(database)


@pytest.fixture
def detector(database: Database, clock: FakeClock) -> AlertDetector:
    return AlertDetector(database, clock, lambda: None)


async def add_rule(database: Database, *kinds: str) -> AlertRule:
    async with database.write() as connection:
        return await store.add(connection, {**A_RULE, "kinds": list(kinds)})


def run_of(job: Job, number: int, **columns: Any) -> dict[str, Any]:
    row = runs.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.SCHEDULE,
        scheduled_for=NOON + timedelta(seconds=number),
        priority=5,
        correlation_id="c",
        now=NOON,
    )
    begun = {"attempt": 1, "started_at": NOON, "worker_id": "w"}
    return {**row, **begun, **columns}


async def end_run(database: Database, job: Job, status: RunStatus, at: datetime) -> None:
    """Store a run that ended, with its event, at an instant."""
    failed = {"reason": Reason.EXIT_CODE} if status is RunStatus.FAILED else {"exit_code": 0}
    row = run_of(job, int((at - NOON).total_seconds()), status=status, finished_at=at, **failed)
    async with database.write() as connection:
        run = await runs.add(connection, row)
        await connection.execute(update(event_table).where(event_table.c.run_id == run.id).values(at=at))


async def check(detector: AlertDetector) -> None:
    await detector.check_events()
    await detector.check_lasting()


async def look(detector: AlertDetector, database: Database) -> list[Any]:
    """Run one check. Return (kind, run) of all alerts so far."""
    await settle(database)
    await check(detector)
    async with database.read() as connection:
        query = select(delivery_table.c.kind, delivery_table.c.run_id).order_by(delivery_table.c.id)
        return list(await connection.execute(query))


@pytest.mark.parametrize(("kind", "status"), [("too_long", RunStatus.RUNNING), ("late", RunStatus.QUEUED)])
async def test_every_overdue_run_alerts_once_beyond_one_batch(
    database: Database, clock: FakeClock, detector: AlertDetector, job: Job, kind: str, status: RunStatus
) -> None:
    number = OVERDUE_BATCH + 20
    await add_rule(database, kind)
    async with database.write() as connection:
        await connection.execute(insert(run_table), [run_of(job, index, status=status) for index in range(number)])
    clock.advance(61)
    await look(detector, database)

    told = await look(detector, database)
    assert len(told) == number
    assert len({run_id for _, run_id in told}) == number


async def test_run_that_was_late_in_the_queue_does_not_alert_at_start(
    database: Database, clock: FakeClock, detector: AlertDetector, job: Job
) -> None:
    await add_rule(database, "late")
    async with database.write() as connection:
        run = await runs.add(connection, run_of(job, 0, status=RunStatus.QUEUED))
    clock.advance(61)
    await look(detector, database)
    async with database.write() as connection:
        begun = {"status": RunStatus.RUNNING, "lateness_seconds": 61.0}
        await connection.execute(update(run_table).where(run_table.c.id == run.id).values(begun))

    assert await look(detector, database) == [(AlertKind.LATE, run.id)]


async def test_flapping_alerts_once_in_any_window_and_again_after_it(
    database: Database, detector: AlertDetector, job: Job
) -> None:
    await add_rule(database, "flapping")
    for seconds in (590, 595, 605, 610, 1190):
        await end_run(database, job, RunStatus.FAILED, NOON + timedelta(seconds=seconds))
        await look(detector, database)
    assert len(await look(detector, database)) == 1, "two within a window, whatever the hour"

    await end_run(database, job, RunStatus.FAILED, NOON + timedelta(seconds=1196))
    assert len(await look(detector, database)) == 2


async def test_no_recovery_alert_if_the_rule_was_disabled_meanwhile(
    database: Database, detector: AlertDetector, job: Job
) -> None:
    rule = await add_rule(database, "recovery")
    await end_run(database, job, RunStatus.FAILED, NOON + timedelta(seconds=1))
    await look(detector, database)
    await enable(database, rule, enabled=False)
    await end_run(database, job, RunStatus.SUCCESS, NOON + timedelta(seconds=2))
    await look(detector, database)
    await enable(database, rule, enabled=True)
    await end_run(database, job, RunStatus.SUCCESS, NOON + timedelta(seconds=3))

    assert await look(detector, database) == []
    async with database.read() as connection:
        assert (await connection.execute(select(failing_jobs))).all() == []


async def test_lease_takes_a_share_of_each_rule(database: Database) -> None:
    first, second = await add_rule(database, "failure"), await add_rule(database, "failure")
    alert = Alert(kind=AlertKind.TEST, job_id=None, job_name="j", owner_id="", run_id=None, at=NOON)
    async with database.write() as connection:
        for number in range(20):
            await deliveries.add(connection, first.id, f"test:{number}", alert, NOON)
        await deliveries.add(connection, second.id, "test:0", alert, NOON + timedelta(seconds=1))
    later = NOON + timedelta(seconds=2)

    async with database.write() as connection:
        taken = await deliveries.lease(connection, later, 16, 30, Shares(most=4))
    assert [outgoing.delivery.rule_id for outgoing in taken] == [first.id] * 4 + [second.id]
    async with database.write() as connection:
        assert await deliveries.lease(connection, later, 16, 30, Shares(most=4, full=[first.id])) == []


async def enable(database: Database, rule: AlertRule, *, enabled: bool) -> None:
    async with database.write() as connection:
        await store.replace(connection, rule.id, {"enabled": enabled})


@ON_SQLITE
async def test_unfit_worker_alerts_once_in_each_window(
    database: Database, clock: FakeClock, detector: AlertDetector
) -> None:
    await add_rule(database, "worker_unfit")
    async with database.write() as connection:
        for worker_id, reason in (("w-1", "No space left on device"), ("w-2", None)):
            await workers.register(connection, worker_id, host="h", pid=1, slots=1, unfit_reason=reason, now=NOON)

    told = [await look(detector, database) for _ in range(2)]
    clock.advance(601)
    told.append(await look(detector, database))

    assert [len(found) for found in told] == [1, 1, 2]
    async with database.read() as connection:
        (first, _) = (await connection.execute(select(delivery_table.c.alert))).scalars()
    assert (first["worker"], first["message"]) == ("w-1", "No space left on device")


async def test_check_without_new_events_waits_for_no_writer(detector: AlertDetector, database: Database) -> None:
    await check(detector)
    counter = MetricsFold(database)
    await counter.fold()

    async with asyncio.timeout(10), database.write():
        await check(detector)
        await counter.fold()
