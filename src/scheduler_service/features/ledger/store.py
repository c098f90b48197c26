"""Reads schedule spans and rows, and deletes old spans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, delete, func, literal, literal_column, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.hours import spread
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import ACTIVE, RunStatus, Trigger
from scheduler_service.features.ledger.cells import Counted
from scheduler_service.features.ledger.records import LedgerRow, ScheduleSpan
from scheduler_service.features.ledger.tables import schedule_spans
from scheduler_service.storage.dialect import hour_start
from scheduler_service.storage.runs_of_jobs import has_more_jobs
from scheduler_service.storage.tables import jobs, runs, with_status

_COLUMNS = [schedule_spans.c[name] for name in ScheduleSpan.__dataclass_fields__ if name in schedule_spans.c]


async def job_ids(
    connection: AsyncConnection, owner_id: str | None, job_id: int | None, after: int, limit: int
) -> list[int]:
    """Return the ids of jobs with spans, in order, the first greater than `after`. None: of every owner, all jobs."""
    query = select(jobs.c.id).where(jobs.c.id > after).order_by(jobs.c.id).limit(limit)
    query = query.where(select(schedule_spans.c.id).where(schedule_spans.c.job_id == jobs.c.id).exists())
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    if job_id is not None:
        query = query.where(jobs.c.id == job_id)
    return list((await connection.execute(query)).scalars())


async def spans_of(connection: AsyncConnection, job_id: int, since: datetime) -> list[ScheduleSpan]:
    """Return the spans of a job that reach beyond an instant, in the order in which they were in force."""
    return (await spans_of_jobs(connection, [job_id], since))[job_id]


async def spans_of_jobs(
    connection: AsyncConnection, job_ids: Sequence[int], since: datetime
) -> dict[int, list[ScheduleSpan]]:
    """Return for each job what `spans_of` returns."""
    query = (
        select(*_COLUMNS, jobs.c.next_run_at, jobs.c.max_runs)
        .join(jobs, jobs.c.id == schedule_spans.c.job_id)
        .where(
            schedule_spans.c.job_id.in_(job_ids),
            or_(schedule_spans.c.ends_before.is_(None), schedule_spans.c.ends_before > since),
        )
        .order_by(schedule_spans.c.id)
    )
    found: dict[int, list[ScheduleSpan]] = {job_id: [] for job_id in job_ids}
    for row in (await connection.execute(query)).mappings():
        found[row["job_id"]].append(ScheduleSpan(**row))
    return found


async def rows_of(
    connection: AsyncConnection, job_id: int, since: datetime, end: datetime | None
) -> Sequence[LedgerRow]:
    """Return the rows of a job's scheduled instants from `since` to before `end`, in order."""
    query = (
        select(
            runs.c.scheduled_for,
            func.coalesce(runs.c.missed_until, runs.c.scheduled_for),
            func.coalesce(runs.c.missed_count, 1),
        )
        .where(runs.c.job_id == job_id, runs.c.trigger == Trigger.SCHEDULE)
        .where(func.coalesce(runs.c.missed_until, runs.c.scheduled_for) >= since)
        .order_by(runs.c.scheduled_for)
    )
    if end is not None:
        query = query.where(runs.c.scheduled_for < end)
    return [LedgerRow(*row) for row in await connection.execute(query)]


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete spans that ended before an instant. Return their number."""
    keys = select(schedule_spans.c.id).where(schedule_spans.c.ends_before < before).limit(limit)
    return (await connection.execute(delete(schedule_spans).where(schedule_spans.c.id.in_(keys)))).rowcount


async def instants_of(connection: AsyncConnection, job_id: int, since: datetime, until: datetime) -> list[Counted]:
    """Return what became of a job's scheduled instants from `since` to before `until`, by hour."""
    hour = hour_start(runs.c.scheduled_for).label("hour")
    scheduled = and_(runs.c.job_id == job_id, literal_column("runs.\"trigger\" = 'schedule'"))
    inside = and_(runs.c.scheduled_for >= since, runs.c.scheduled_for < until)
    is_range = and_(
        runs.c.missed_until.is_not(None), hour_start(runs.c.missed_until) != hour_start(runs.c.scheduled_for)
    )
    query = (
        select(hour, runs.c.status, runs.c.reason, func.sum(func.coalesce(runs.c.missed_count, 1)))
        .where(scheduled, inside, not_(is_range))
        .group_by(hour, runs.c.status, runs.c.reason)
    )
    # A range that began before the window can reach into it.
    ranges = select(runs.c.scheduled_for, runs.c.missed_until, runs.c.missed_count, runs.c.reason).where(
        scheduled, with_status(RunStatus.MISSED), runs.c.scheduled_for < until, is_range, runs.c.missed_until >= since
    )
    found = [Counted(*row) for row in await connection.execute(query)]
    for first, last, count, reason in await connection.execute(ranges):
        found += [
            Counted(at, RunStatus.MISSED, reason, share)
            for at, share in spread(first, last, count)
            if since <= at < until
        ]
    return found


async def row_before(connection: AsyncConnection, job_id: int, at: datetime) -> Run | None:
    """Return the newest row of a job's scheduled instants that begins before an instant, or None."""
    scheduled = and_(runs.c.job_id == job_id, literal_column("runs.\"trigger\" = 'schedule'"))
    query = select(runs).where(scheduled, runs.c.scheduled_for < at).order_by(runs.c.scheduled_for.desc()).limit(1)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else Run(**row)


async def active_instants(
    connection: AsyncConnection, since: datetime, until: datetime, owner_id: str | None
) -> list[Counted]:
    """Return the scheduled instants whose runs have not ended, by hour."""
    hour = hour_start(runs.c.scheduled_for).label("hour")
    # The expression keeps SQLite from reading all runs of the window instead of the few that are active.
    at = func.coalesce(runs.c.scheduled_for, literal(since, runs.c.scheduled_for.type))
    query = (
        select(hour, runs.c.status, runs.c.reason, func.count())
        .where(with_status(*ACTIVE), runs.c.trigger == Trigger.SCHEDULE)
        .where(at >= since, at < until)
        .group_by(hour, runs.c.status, runs.c.reason)
    )
    if owner_id is not None:
        query = query.where(select(jobs.c.id).where(jobs.c.id == runs.c.job_id, jobs.c.owner_id == owner_id).exists())
    return [Counted(*row) for row in await connection.execute(query)]


async def planned_by_hour(
    connection: AsyncConnection, since: datetime, until: datetime, owner_id: str | None, limit: int
) -> list[tuple[datetime, int]]:
    """Return the hours of the next instants of jobs from `since` to before `until`, each with their number.

    At most `limit` instants are counted, the earliest ones.
    """
    query = select(jobs.c.next_run_at).where(jobs.c.next_run_at.is_not(None))
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    if owner_id is None or await has_more_jobs(connection, owner_id, limit):
        within = (jobs.c.next_run_at >= since, jobs.c.next_run_at < until)
    else:  # the expression keeps the database from reading the instants of all owners
        at = func.coalesce(jobs.c.next_run_at, literal(until, jobs.c.next_run_at.type))
        within = (at >= since, at < until)
    instants = query.where(*within).order_by(jobs.c.next_run_at).limit(limit).subquery()
    hour = hour_start(instants.c.next_run_at).label("hour")
    counts = select(hour, func.count()).group_by(literal_column("1")).order_by(literal_column("1"))
    return [(at, count) for at, count in await connection.execute(counts)]
