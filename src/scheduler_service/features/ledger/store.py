"""Reads schedule spans and rows, and deletes old spans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import Trigger
from scheduler_service.features.ledger.records import LedgerRow, ScheduleSpan
from scheduler_service.features.ledger.tables import schedule_spans
from scheduler_service.storage.tables import jobs, runs

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
    """Return the spans of a job that reach beyond an instant, in order."""
    query = (
        select(*_COLUMNS, jobs.c.next_run_at, jobs.c.max_runs)
        .join(jobs, jobs.c.id == schedule_spans.c.job_id)
        .where(
            schedule_spans.c.job_id == job_id,
            or_(schedule_spans.c.ends_before.is_(None), schedule_spans.c.ends_before > since),
        )
        .order_by(schedule_spans.c.begins_at, schedule_spans.c.id)
    )
    return [ScheduleSpan(**row) for row in (await connection.execute(query)).mappings()]


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
