"""Summarises the runs that ended within a period."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, cast, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.outcomes import Ended, OutcomeCount, Spread
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.dialect import is_sqlite, seconds_between
from scheduler_service.storage.draft_runs import is_no_test
from scheduler_service.storage.hour_counts import bucket_of
from scheduler_service.storage.runs import is_of_owner
from scheduler_service.storage.tables import runs

NEWEST_OF_JOB = 10_000
"""Figures of a job count at most so many of its newest rows."""
# Built once: it has a hundred parts.
_bucket = bucket_of(seconds_between(runs.c.started_at, runs.c.finished_at)).label("bucket")


async def ended_since(connection: AsyncConnection, since: datetime, owner_id: str | None) -> Ended:
    """Return figures about the runs that ended since an instant. `owner_id` None means all owners."""
    mine = true() if owner_id is None else is_of_owner(owner_id)
    return await _figures(connection, and_(runs.c.finished_at >= since, mine, is_no_test()))


async def ended_of_job(connection: AsyncConnection, job_id: int, since: datetime) -> tuple[Ended, bool]:
    """Return figures about a job's runs that ended since an instant, and whether only the newest were counted."""
    newest = select(runs.c.id).where(runs.c.job_id == job_id).order_by(runs.c.id.desc()).limit(NEWEST_OF_JOB)
    ended = await _figures(connection, and_(runs.c.id.in_(newest), runs.c.finished_at >= since))
    last = newest.offset(NEWEST_OF_JOB - 1).limit(1)
    oldest = select(runs.c.finished_at).where(runs.c.id == last.scalar_subquery())
    finished_at = (await connection.execute(oldest)).scalar_one_or_none()
    return ended, finished_at is not None and finished_at >= since


async def exceeds(connection: AsyncConnection, since: datetime, limit: int) -> bool:
    """Return whether more than `limit` runs ended since an instant."""
    some = select(runs.c.id).where(runs.c.finished_at >= since).order_by(runs.c.finished_at).limit(limit + 1)
    return (await connection.execute(select(func.count()).select_from(some.subquery()))).scalar_one() > limit


async def by_step(
    connection: AsyncConnection, since: datetime, step_seconds: int, owner_id: str | None
) -> list[tuple[int, RunStatus, int, int]]:
    """Return (number of the step, status, bucket of the duration or 0, count) of the runs that ended since then."""
    seconds: ColumnElement[Any] = seconds_between(literal(since, runs.c.finished_at.type), runs.c.finished_at)
    steps = seconds / step_seconds
    # SQLite truncates and PostgreSQL rounds; SQLite has floor() only if it was built with it.
    step = cast(steps if is_sqlite(connection) else func.floor(steps), Integer).label("step")
    mine = true() if owner_id is None else is_of_owner(owner_id)
    each = select(step, runs.c.status, _bucket).where(runs.c.finished_at >= since, mine, is_no_test()).subquery()
    query = select(each, func.count()).group_by(each.c.step, each.c.status, each.c.bucket)
    return [tuple(row) for row in await connection.execute(query)]


async def _figures(connection: AsyncConnection, condition: ColumnElement[bool]) -> Ended:
    duration: ColumnElement[Any] = seconds_between(runs.c.started_at, runs.c.finished_at)
    return Ended(
        outcomes=await _outcomes(connection, condition),
        duration_seconds=await _spread(connection, duration, condition),
        lateness_seconds=await _spread(connection, runs.c.lateness_seconds, condition),
    )


async def _outcomes(connection: AsyncConnection, condition: ColumnElement[bool]) -> tuple[OutcomeCount, ...]:
    instants = func.sum(func.coalesce(runs.c.missed_count, 1))
    query = (
        select(runs.c.status, runs.c.reason, func.count(), instants)
        .where(condition)
        .group_by(runs.c.status, runs.c.reason)
        .order_by(runs.c.status, runs.c.reason)
    )
    return tuple(OutcomeCount(*row) for row in await connection.execute(query))


async def _spread(
    connection: AsyncConnection, value: ColumnElement[float | None], condition: ColumnElement[bool]
) -> Spread:
    """Return percentiles by the nearest-rank method, which both databases support."""
    ranked = (
        select(
            value.label("value"),
            func.row_number().over(order_by=value).label("rank"),
            func.count().over().label("total"),
        )
        .where(condition, value.is_not(None))
        .subquery()
    )
    ranks = [(ranked.c.total * percent + 99) // 100 for percent in (50, 95)]
    query = select(ranked.c.value).where(or_(*(ranked.c.rank == rank for rank in ranks))).order_by(ranked.c.rank)
    found = [float(found) for found in (await connection.execute(query)).scalars()]
    return Spread(found[0], found[-1]) if found else Spread()
