"""Reads the runs of a window's instants, and adds those of a backfill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.backfill import InstantRow
from scheduler_service.domain.records import Run
from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.tables import runs
from scheduler_service.storage.types import UtcInstant

# In the words of the partial indexes, which SQLite needs to use them.
_OF_SCHEDULE: ColumnElement[bool] = literal_column("runs.\"trigger\" = 'schedule'")
_REPEATED: ColumnElement[bool] = literal_column("runs.\"trigger\" IN ('backfill', 'retry')")


async def rows_between(
    connection: AsyncConnection, job_id: int, begin: datetime, end: datetime, limit: int
) -> list[InstantRow]:
    """Return the runs and missed ranges of a job's instants from `begin` to `end`, the oldest first.

    More than `limit` rows are cut.
    """
    last = func.coalesce(runs.c.missed_until, runs.c.scheduled_for)
    # A range can begin before the window. The newest row before it is the only one that reaches into it.
    before = (
        select(func.max(runs.c.scheduled_for))
        .where(runs.c.job_id == job_id, _OF_SCHEDULE, runs.c.scheduled_for < begin)
        .scalar_subquery()
    )
    columns = (runs.c.id, runs.c.scheduled_for, runs.c.trigger, runs.c.status, runs.c.reason, runs.c.missed_until)
    scheduled = select(*columns).where(
        runs.c.job_id == job_id,
        _OF_SCHEDULE,
        runs.c.scheduled_for <= end,
        runs.c.scheduled_for >= func.coalesce(before, literal(begin, UtcInstant())),
        last >= begin,
    )
    repeated = select(*columns).where(
        runs.c.job_id == job_id, _REPEATED, runs.c.scheduled_for >= begin, runs.c.scheduled_for <= end
    )
    found = [row for query in (scheduled, repeated) for row in await connection.execute(query.limit(limit))]
    return [
        InstantRow(row.scheduled_for, row.trigger, row.status, row.reason, _end_of_range(row))
        for row in sorted(found, key=lambda row: row.id)
    ]


async def add(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Store runs of a backfill, without those whose instant has an active one already."""
    if not rows:
        return []
    added = await connection.execute(insert_or_ignore(connection, runs).returning(runs), list(rows))
    return [Run(**row) for row in added.mappings()]


def _end_of_range(row: Any) -> datetime | None:
    end: datetime | None = row.missed_until
    return None if end == row.scheduled_for else end
