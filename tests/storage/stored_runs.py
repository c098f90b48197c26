"""Runs stored in any state."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert
from testkit.databases import NOON, queued_row

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus
from scheduler_service.storage import runs
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import attempts
from scheduler_service.storage.transitions import AttemptEnd

ME = "worker-1"
SUCCESS = AttemptEnd(status=RunStatus.SUCCESS, exit_code=0)
FAILURE = AttemptEnd(status=RunStatus.FAILED, reason=Reason.EXIT_CODE, exit_code=3)


async def put(database: Database, job: Job, status: RunStatus = RunStatus.QUEUED, **changes: Any) -> Run:
    """Store a run in any state, as if it had reached it by valid transitions."""
    row = queued_row(job)
    match status:
        case RunStatus.RUNNING:
            row |= {"attempt": 1, "worker_id": ME, "started_at": NOON}
        case RunStatus.SUCCESS:
            row |= {"exit_code": 0}
        case RunStatus.MISSED:
            row |= {"missed_count": 1, "missed_until": NOON}
    if status in TERMINAL:
        row |= {"finished_at": NOON}
    async with database.write() as connection:
        run = await runs.add(connection, {**row, "status": status, **changes})
        if status is RunStatus.RUNNING:
            values = {"run_id": run.id, "attempt": run.attempt, "worker_id": ME, "started_at": NOON}
            await connection.execute(insert(attempts).values(**values, status=RunStatus.RUNNING))
    return run
