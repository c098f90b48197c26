"""The runs that lanes show."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker
from tests.features.ledger.test_windows import add
from tests.storage.stored_runs import ME, put

from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.errors import NotFoundError
from scheduler_service.features.ledger.lanes import LaneService
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import attempts

HOUR = timedelta(hours=1)
LIMIT = 10


async def test_lanes_show_what_began_executed_or_ended(database: Database, clock: FakeClock) -> None:
    jobs = JobService(database, RecordingBroker(), clock, lambda: None)
    job, other = await add(jobs), await add(jobs)
    times = [
        (RunStatus.SUCCESS, NOON - 2 * HOUR, NOON - HOUR),  # before the window
        (RunStatus.SUCCESS, NOON - HOUR, NOON + HOUR),
        (RunStatus.RUNNING, NOON - 3 * HOUR, None),
        (RunStatus.FAILED, NOON, NOON + HOUR),
    ]
    ids = []
    for status, at, finished_at in times:
        changes = {"scheduled_for": at, "started_at": at, "finished_at": finished_at, "trigger": Trigger.SCHEDULE}
        ids.append((await put(database, job, status, **changes)).id)
    skipped = await put(database, other, RunStatus.SKIPPED, scheduled_for=NOON + HOUR, finished_at=NOON + HOUR)
    service = LaneService(database)
    begin = NOON - timedelta(minutes=1)
    shown = [run.run_id for run in await service.since(ADMIN, begin, LIMIT)]
    assert shown == [skipped.id, ids[3], ids[1], ids[2]]
    assert [run.run_id for run in await service.since(ANN, begin, LIMIT, job.id)] == [ids[3], ids[1], ids[2]]
    assert len(await service.since(ANN, begin, 2)) == 2
    assert await service.since(BOB, begin, LIMIT) == []
    with pytest.raises(NotFoundError):
        await service.since(BOB, begin, LIMIT, job.id)


async def test_lanes_show_attempts_of_runs_with_several(database: Database, clock: FakeClock) -> None:
    job = await add(JobService(database, RecordingBroker(), clock, lambda: None))
    run = await put(database, job, RunStatus.FAILED, attempt=2, started_at=NOON)
    rows = [
        {"run_id": run.id, "attempt": n, "worker_id": ME, "started_at": NOON + n * HOUR, "status": RunStatus.FAILED}
        for n in (1, 2)
    ]
    async with database.write() as connection:
        await connection.execute(insert(attempts), rows)
    (shown,) = await LaneService(database).since(ANN, NOON - HOUR, LIMIT)
    assert [each.started_at for each in shown.attempts] == [NOON + HOUR, NOON + 2 * HOUR]
