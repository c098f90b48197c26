"""Summarises the runs that ended within a period."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.outcomes import Ended, OutcomeCount, Spread
from scheduler_service.storage.dialect import seconds_between
from scheduler_service.storage.draft_runs import is_no_test
from scheduler_service.storage.runs import is_of_owner
from scheduler_service.storage.tables import runs


async def ended_since(connection: AsyncConnection, since: datetime, owner_id: str | None) -> Ended:
    """Return figures about the runs that ended since an instant. `owner_id` None means all owners."""
    mine = true() if owner_id is None else is_of_owner(owner_id)
    condition = and_(runs.c.finished_at >= since, mine, is_no_test())
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
