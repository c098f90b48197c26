"""Start deadlines: runs whose first attempt did not begin in time are missed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.storage.tables import has_start_deadline, runs


async def miss_late_runs(connection: AsyncConnection, now: datetime, limit: int) -> int:
    """Move runs whose `start_by` has passed: queued → missed(start_deadline). Return their number.

    A claim at the same time waits for the row and then finds the run missed, or was first and keeps it.
    """
    keys = (
        select(runs.c.id)
        .where(has_start_deadline(), runs.c.start_by < now)
        .order_by(runs.c.start_by)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(runs)
        .where(runs.c.id.in_(keys), has_start_deadline())
        .values(
            status=RunStatus.MISSED,
            reason=Reason.START_DEADLINE,
            missed_until=runs.c.scheduled_for,
            missed_count=1,
            finished_at=now,
        )
    )
    return (await connection.execute(statement)).rowcount
