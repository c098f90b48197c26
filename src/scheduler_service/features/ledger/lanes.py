"""Reads the runs of a window for lanes: those that began, executed or ended in it.

Theory of operation. Three lists are merged. Rows whose instant is in the window are found by the index of instants.
Runs of an earlier instant that ended in it are found by the index of ends, and those that have not ended are few. The
expressions keep SQLite from reading all earlier instants instead. Of one job, the newest rows are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.lanes import LaneAttempt, LaneRun
from scheduler_service.domain.run_state import ACTIVE
from scheduler_service.services.job_rows import check_history
from scheduler_service.storage.database import Database
from scheduler_service.storage.draft_runs import is_no_test
from scheduler_service.storage.tables import attempts, jobs, runs, with_status

_COLUMNS = (
    runs.c.id, runs.c.job_id, jobs.c.name, runs.c.status, runs.c.scheduled_for, runs.c.started_at, runs.c.finished_at,
)  # fmt: skip


class LaneService:
    """Shows when runs waited and executed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, caller: Caller, begin: datetime, limit: int, job_id: int | None = None) -> list[LaneRun]:
        """Return the newest `limit` runs that began, executed or ended since an instant, of all jobs or of one.

        Raise `NotFoundError` for an unknown job.
        """
        caller.require(Scope.READ)
        async with self._database.snapshot() as snapshot:
            if job_id is None:
                lists = _of_all(begin, caller.bound)
            else:
                await check_history(snapshot, caller, job_id)
                lists = [_of_job(begin, job_id)]
            found: dict[int, LaneRun] = {}
            for keys in lists:
                if len(found) >= limit:  # the runs of the other lists are older
                    break
                chosen = (
                    select(*_COLUMNS).join(jobs, jobs.c.id == runs.c.job_id).where(runs.c.id.in_(keys.limit(limit)))
                )
                found |= {row.id: LaneRun(*row) for row in await snapshot.execute(chosen)}
            newest = sorted(found.values(), key=lambda run: (run.scheduled_for, run.run_id), reverse=True)[:limit]
            return await _with_attempts(snapshot, newest)


def _of_all(begin: datetime, owner_id: str | None) -> list[Select[int]]:
    is_earlier = func.coalesce(runs.c.scheduled_for, begin) < begin
    of_owner: list[ColumnElement[bool]] = [is_no_test()]
    if owner_id is not None:
        of_owner.append(select(jobs.c.id).where(jobs.c.id == runs.c.job_id, jobs.c.owner_id == owner_id).exists())
    begun = select(runs.c.id).where(runs.c.scheduled_for >= begin, *of_owner).order_by(runs.c.scheduled_for.desc())
    ended = select(runs.c.id).where(runs.c.finished_at >= begin, is_earlier, *of_owner)
    active = select(runs.c.id).where(with_status(*ACTIVE), is_earlier, *of_owner)
    return [begun, ended.order_by(runs.c.finished_at.desc()), active]


def _of_job(begin: datetime, job_id: int) -> Select[int]:
    is_inside = or_(runs.c.finished_at.is_(None), runs.c.finished_at >= begin, runs.c.scheduled_for >= begin)
    newest = select(runs.c.id).where(runs.c.job_id == job_id, is_inside, is_no_test())
    return newest.order_by(runs.c.id.desc())


async def _with_attempts(connection: AsyncConnection, found: Sequence[LaneRun]) -> list[LaneRun]:
    """Return the runs with their attempts if they had several."""
    several = select(runs.c.id).where(runs.c.id.in_([run.run_id for run in found]), runs.c.attempt > 1)
    query = (
        select(attempts.c.run_id, attempts.c.started_at, attempts.c.finished_at)
        .where(attempts.c.run_id.in_(several))
        .order_by(attempts.c.run_id, attempts.c.attempt)
    )
    of_run: dict[int, list[LaneAttempt]] = {}
    for run_id, started_at, finished_at in await connection.execute(query):
        of_run.setdefault(run_id, []).append(LaneAttempt(started_at, finished_at))
    return [replace(run, attempts=tuple(of_run.get(run.run_id, ()))) for run in found]
