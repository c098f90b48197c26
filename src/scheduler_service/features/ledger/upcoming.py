"""Which minutes have jobs that are due, and how many: so that crowded ones are seen before they come."""

from __future__ import annotations

from sqlalchemy import func, select

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.upcoming import DueMinute
from scheduler_service.features.ledger.cells import Period
from scheduler_service.storage.database import Database
from scheduler_service.storage.dialect import minute_start
from scheduler_service.storage.recent import job_names
from scheduler_service.storage.tables import jobs

MAX_JOBS = 10_000


class UpcomingService:
    """Counts the jobs that are due in each minute, by the index of due jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def minutes(self, caller: Caller, period: Period) -> list[DueMinute]:
        """Return the minutes of a period in which jobs are due, in order. Only the first MAX_JOBS jobs are counted."""
        caller.require(Scope.READ)
        due = select(jobs.c.next_run_at, jobs.c.id).where(
            jobs.c.next_run_at.is_not(None), jobs.c.next_run_at >= period.begin, jobs.c.next_run_at < period.end
        )
        if caller.bound is not None:
            due = due.where(jobs.c.owner_id == caller.bound)
        first = due.order_by(jobs.c.next_run_at, jobs.c.id).limit(MAX_JOBS).subquery()
        minute = minute_start(first.c.next_run_at).label("minute")
        query = select(minute, func.count(), func.min(first.c.id)).group_by(minute).order_by(minute)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
            names = await job_names(connection, [row[2] for row in found])
        return [DueMinute(at, count, job_id, names.get(job_id, "")) for at, count, job_id in found]
