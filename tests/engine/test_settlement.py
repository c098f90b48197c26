"""The write of a run's next state, beside other changes of its job."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs
from testkit.databases import NOON, add_running
from testkit.doubles import FakeClock
from testkit.lock_waits import wait_for_lock_waiter

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.settlement import Settlement
from scheduler_service.storage import cancellations, jobs
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.transitions import AttemptEnd

FAILURE = AttemptEnd(status=RunStatus.FAILED, reason=Reason.EXIT_CODE, exit_code=3)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_end_with_a_log_meets_no_deadlock_with_a_cancel(database: Database, clock: FakeClock) -> None:
    run = await add_running(database, pause_after_failures=3)
    settlement = Settlement(database, clock)

    with capture_logs() as logged:
        async with database.write() as connection:
            job = await jobs.find(connection, run.job_id, lock=True)
            assert job is not None
            settling = asyncio.create_task(settlement.settle(Claimed(run, job), FAILURE, LogPiece(data=b"the end")))
            await wait_for_lock_waiter(database)
            await cancellations.cancel_all(connection, [job.id], Reason.JOB_DELETED, NOON)
        await settling

    assert "write_delayed" not in [line["event"] for line in logged]
