"""Counts the runs of each hour, so that a week of figures does not read all its runs.

Theory of operation. A run that has ended never changes again, and its end is one event. `fold` adds the runs of the
events since the observer's cursor to the table, for all owners together and for each owner. `read` adds those behind
the cursor, which are few, from the same snapshot. Figures therefore always agree with the rows.

Four measures are counted: `instant`, the rows of scheduled instants by `scheduled_for`; `ended`, all runs by
`finished_at`; `duration` and `lateness`, the same by logarithmic buckets. A row that stands for missed instants of
several hours is divided among them.

Retention deletes rows by `finished_at`, which never precedes `scheduled_for`. Hours after its horizon are complete, and
older ones are deleted. If a job gets another owner, its counted hours stay with the one before until `recount`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    delete,
    func,
    literal,
    not_,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import Position
from scheduler_service.domain.hours import spread
from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus
from scheduler_service.storage import events as event_rows
from scheduler_service.storage.dialect import dicts, insert_or_add
from scheduler_service.storage.event_tables import events
from scheduler_service.storage.events import HOURS
from scheduler_service.storage.hour_counts import (
    EVERYBODY,
    INSTANT,
    MEASURED,
    NAMES,
    counts_of,
    ended_runs,
    total_of,
)
from scheduler_service.storage.hour_tables import hour_totals
from scheduler_service.storage.tables import runs

_READ = NAMES[1:]  # all but the scope
_REASONS: Mapping[str, Reason | None] = {"": None, **{str(reason): reason for reason in Reason}}


class HourCount(NamedTuple):
    """The runs of an hour with one status, reason and bucket, and the instants for which they stand."""

    hour: datetime
    status: RunStatus
    reason: Reason | None
    bucket: int
    rows: int
    instants: int


def scope_of(owner_id: str | None) -> str:
    """Return the key under which an owner's figures are stored. None: those of all owners."""
    return EVERYBODY if owner_id is None else f"={owner_id}"


async def read(
    snapshot: AsyncConnection,
    measures: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    owner_id: str | None = None,
    by_hour: bool = True,
) -> dict[str, list[HourCount]]:
    """Return the figures of the hours from `since` to before `until`, by their measures. A key can occur twice.

    If not `by_hour`, they are added up, as if all were of the hour `since`.

    `snapshot` must come from `Database.snapshot`. Otherwise a concurrent fold is counted twice or not at all.
    """

    def wanted(source: FromClause) -> ColumnElement[bool]:
        hours = and_(source.c.hour >= since, source.c.hour < until)
        return and_(source.c.scope == scope_of(owner_id), source.c.measure.in_(measures), hours)

    found: dict[str, list[HourCount]] = {measure: [] for measure in measures}
    counted = select(*(hour_totals.c[name] for name in _READ)).where(wanted(hour_totals))
    cursor = await event_rows.cursor(snapshot, HOURS)
    if await event_rows.newest(snapshot) <= cursor:
        behind = None
        query: Select[Any] | CompoundSelect[Any] = counted
    else:
        behind = _ended_by_events(event_rows.is_after(snapshot, cursor))
        tail = counts_of(behind).subquery()
        query = union_all(counted, select(*(tail.c[name] for name in _READ)).where(wanted(tail)))
    query = query if by_hour else _added(query.subquery(), since)
    for measure, hour, status, reason, bucket, rows, instants in await snapshot.execute(query):
        found[measure].append(HourCount(hour, status, _REASONS[reason], bucket, rows, instants))
    if behind is not None and INSTANT in measures:
        for row in await _ranges(snapshot, behind):
            if row["scope"] == scope_of(owner_id) and since <= row["hour"] < until:
                figures = (row["status"], _REASONS[row["reason"]], row["bucket"], row["rows"], row["instants"])
                found[INSTANT].append(HourCount(row["hour"], *figures))
    return found


def _added(each: FromClause, since: datetime) -> Select[Any]:
    key = (each.c.status, each.c.reason, each.c.bucket)
    hour = literal(since, each.c.hour.type).label("hour")
    sums = (total_of(each, name) for name in MEASURED)
    return select(each.c.measure, hour, *key, *sums).group_by(each.c.measure, *key)


async def fold(connection: AsyncConnection) -> bool:
    """Add the runs that ended since the last fold, in this transaction. Return False if there were no events."""
    cursor = await event_rows.lock_cursor(connection, HOURS)
    newest = await event_rows.newest(connection)
    if cursor is None or newest <= cursor:
        return False
    unfolded = and_(event_rows.is_after(connection, cursor), event_rows.is_up_to(connection, newest))
    await _add(connection, _ended_by_events(unfolded))
    await event_rows.move_cursor(connection, HOURS, newest)
    return True


async def recount(connection: AsyncConnection) -> None:
    """Count all runs again, in this transaction."""
    if await event_rows.lock_cursor(connection, HOURS) is None:
        return
    newest = await event_rows.newest(connection)
    await connection.execute(delete(hour_totals))
    later = select(events.c.run_id).where(
        events.c.subject == "run", events.c.run_id.is_not(None), event_rows.is_after(connection, newest)
    )
    await _add(connection, ended_runs(select(runs.c.id), not_(runs.c.id.in_(later))))
    await event_rows.move_cursor(connection, HOURS, newest)


async def is_uncounted(connection: AsyncConnection) -> bool:
    """Return whether nothing has been counted yet although there are runs, as after an update of the service."""
    if await event_rows.cursor(connection, HOURS) != Position(0, 0):
        return False
    return (await connection.execute(select(runs.c.id).limit(1))).first() is not None


async def prune(connection: AsyncConnection, before: datetime, _limit: int) -> int:
    """Delete hours before an instant, which are few. Return the number of deleted rows."""
    return (await connection.execute(delete(hour_totals).where(hour_totals.c.hour < before))).rowcount


async def _add(connection: AsyncConnection, ended: CTE) -> None:
    insert = insert_or_add(connection, hour_totals, MEASURED, (NAMES, counts_of(ended)))
    await connection.execute(insert)
    if ranges := await _ranges(connection, ended):
        await connection.execute(insert_or_add(connection, hour_totals, MEASURED), ranges)


def _ended_by_events(condition: ColumnElement[bool]) -> CTE:
    """Return the runs whose ends are among the chosen events."""
    is_end = and_(events.c.subject == "run", events.c.change.in_(sorted(TERMINAL)))
    return ended_runs(select(events.c.run_id.label("id")).where(condition, is_end), true())


async def _ranges(connection: AsyncConnection, ended: CTE) -> list[dict[str, Any]]:
    """Return the figures of rows that stand for instants of several hours, for all owners and for each.

    After a downtime, many jobs have the same range, so that each range is divided once.
    """
    key = [ended.c[name] for name in ("owner_id", "status", "reason", "scheduled_for", "missed_until", "instants")]
    several = and_(ended.c.is_scheduled, ended.c.first_hour != ended.c.last_hour)
    query = select(*key, func.count().label("rows")).where(several).group_by(*key)
    found = dicts(await connection.execute(query))
    return await asyncio.to_thread(_divided, found) if found else []


def _divided(ranges: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of ranges by hours. Those of a long downtime take seconds."""
    figures: dict[tuple[Any, ...], dict[datetime, list[int]]] = {}
    for row in ranges:
        state = (row["status"], row["reason"])
        of_scopes = [figures.setdefault((scope, *state), {}) for scope in (EVERYBODY, scope_of(row["owner_id"]))]
        for number, (hour, count) in enumerate(spread(row["scheduled_for"], row["missed_until"], row["instants"])):
            begun = row["rows"] if number == 0 else 0  # a row counts where it begins
            for of_hours in of_scopes:
                counts = of_hours.setdefault(hour, [0, 0])
                counts[0] += begun
                counts[1] += count * row["rows"]
    return [
        dict(zip(NAMES, (scope, INSTANT, hour, *state, 0, *counts), strict=True))
        for (scope, *state), of_hours in figures.items()
        for hour, counts in of_hours.items()
    ]
