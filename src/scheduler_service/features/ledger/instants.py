"""The instants of a window one by one: rows of runs, and instants that are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.features.ledger.cells import Period
from scheduler_service.storage.runs_of_jobs import MAX_MERGED_JOBS, has_more_jobs
from scheduler_service.storage.tables import jobs, runs

_COLUMNS = (
    runs.c.id, runs.c.job_id, jobs.c.name, runs.c.scheduled_for, runs.c.status, runs.c.reason, runs.c.missed_until,
    runs.c.missed_count,
)  # fmt: skip
_IS_SCHEDULED: ColumnElement[bool] = literal_column("runs.\"trigger\" = 'schedule'")


@dataclass(frozen=True, slots=True)
class InstantRow:
    """The row of a scheduled instant, or of the missed instants of a range."""

    run_id: int
    job_id: int
    job_name: str
    at: datetime
    status: RunStatus
    reason: Reason | None
    missed_until: datetime | None
    missed_count: int | None


@dataclass(frozen=True, slots=True)
class PlannedInstant:
    """An instant of a job that is still to come."""

    at: datetime
    job_id: int
    job_name: str


@dataclass(frozen=True, slots=True)
class LedgerInstants:
    """The newest rows of a period and what is planned, both oldest first, and when nothing was owed.

    `is_cut`: there are more rows, which are older, or more planned instants, which are later.
    """

    rows: tuple[InstantRow, ...]
    planned: tuple[PlannedInstant, ...]
    not_owed: tuple[Period, ...]
    is_cut: bool


async def newest_rows(
    connection: AsyncConnection, period: Period, limit: int, *, job_id: int | None, owner_id: str | None
) -> Sequence[InstantRow]:
    """Return the newest rows whose instants are in a period, newest first. None: of all jobs, of every owner."""
    conditions: list[ColumnElement[bool]] = [
        _IS_SCHEDULED,
        runs.c.scheduled_for >= period.begin,
        runs.c.scheduled_for < period.end,
    ]
    if job_id is not None:
        conditions.append(runs.c.job_id == job_id)
    order: tuple[ColumnElement[Any], ...] = (runs.c.scheduled_for.desc(), runs.c.id.desc())
    keys = select(runs.c.id).where(*conditions)
    if owner_id is None:
        keys = keys.order_by(*order)
    elif await has_more_jobs(connection, owner_id, MAX_MERGED_JOBS):
        of_owner = select(jobs.c.id).where(jobs.c.id == runs.c.job_id, jobs.c.owner_id == owner_id).exists()
        keys = keys.where(of_owner).order_by(*order)
    else:  # job by job; the expression keeps the database from reading the rows of all owners
        keys = keys.join(jobs, jobs.c.id == runs.c.job_id).where(jobs.c.owner_id == owner_id)
        keys = keys.order_by(func.coalesce(runs.c.scheduled_for, runs.c.scheduled_for).desc(), runs.c.id.desc())
    keys = keys.limit(limit)
    query = select(*_COLUMNS).join(jobs, jobs.c.id == runs.c.job_id).where(runs.c.id.in_(keys)).order_by(*order)
    return [InstantRow(*row) for row in await connection.execute(query)]


async def next_instants_of_jobs(
    connection: AsyncConnection, period: Period, limit: int, owner_id: str | None
) -> Sequence[PlannedInstant]:
    """Return the next instants of jobs in a period, the earliest first. None: of every owner."""
    query = (
        select(jobs.c.next_run_at, jobs.c.id, jobs.c.name)
        .where(jobs.c.next_run_at.is_not(None), jobs.c.next_run_at >= period.begin, jobs.c.next_run_at < period.end)
        .order_by(jobs.c.next_run_at, jobs.c.id)
        .limit(limit)
    )
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    return [PlannedInstant(*row) for row in await connection.execute(query)]
