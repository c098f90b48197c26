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
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    literal_column,
    not_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import Position
from scheduler_service.domain.hours import spread
from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus, Trigger
from scheduler_service.storage import events as event_rows
from scheduler_service.storage.dialect import dicts, hour_start, insert_or_add, seconds_between
from scheduler_service.storage.event_tables import events
from scheduler_service.storage.events import HOURS
from scheduler_service.storage.hour_tables import hour_totals
from scheduler_service.storage.tables import jobs, runs, with_status

EVERYBODY = "*"
INSTANT, ENDED, DURATION, LATENESS = "instant", "ended", "duration", "lateness"
BUCKETS = tuple(sorted({round(2 ** (step / 3)) for step in range(82)}))
"""Upper bounds in milliseconds, from 1 ms to a day, each about a quarter above the one before."""
BEYOND = 2**31 - 1
_MEASURED = ("rows", "instants")
_NAMES = tuple(column.name for column in hour_totals.columns)


@dataclass(frozen=True, slots=True)
class HourCount:
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
    counted = select(*hour_totals.c).where(wanted(hour_totals))
    cursor = await event_rows.cursor(snapshot, HOURS)
    if await event_rows.newest(snapshot) <= cursor:
        behind = None
        query: Select[Any] | CompoundSelect[Any] = counted
    else:
        behind = _ended_by_events(event_rows.is_after(snapshot, cursor))
        tail = _counts(behind).subquery()
        query = union_all(counted, select(*tail.c).where(wanted(tail)))
    for row in await snapshot.execute(query if by_hour else _added(query.subquery(), since)):
        found[row.measure].append(_count(row))
    if behind is not None and INSTANT in measures:
        for row in await _ranges(snapshot, behind):
            if row["scope"] == scope_of(owner_id) and since <= row["hour"] < until:
                found[INSTANT].append(HourCount(**{name: row[name] for name in _FIELDS} | {"reason": _reason(row)}))
    return found


_FIELDS = ("hour", "status", "bucket", "rows", "instants")


def _added(each: FromClause, since: datetime) -> Select[Any]:
    key = (each.c.measure, each.c.status, each.c.reason, each.c.bucket)
    hour = literal(since, each.c.hour.type).label("hour")
    return select(*key, hour, *(_sum(each, name) for name in _MEASURED)).group_by(*key)


def _sum(each: FromClause, name: str) -> ColumnElement[int]:
    """Return a sum of counts. On PostgreSQL, that of BIGINT would be NUMERIC."""
    return cast(func.sum(each.c[name]), BigInteger).label(name)


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
    await _add(connection, _ended(select(runs.c.id), not_(runs.c.id.in_(later))))
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
    insert = insert_or_add(connection, hour_totals, _MEASURED, (_NAMES, _counts(ended)))
    await connection.execute(insert)
    if ranges := await _ranges(connection, ended):
        await connection.execute(insert_or_add(connection, hour_totals, _MEASURED), ranges)


def _ended_by_events(condition: ColumnElement[bool]) -> CTE:
    """Return the runs whose ends are among the chosen events."""
    is_end = and_(events.c.subject == "run", events.c.change.in_(sorted(TERMINAL)))
    return _ended(select(events.c.run_id.label("id")).where(condition, is_end), true())


def _ended(ids: Select[Any], condition: ColumnElement[bool]) -> CTE:
    chosen = ids.subquery()
    query = (
        select(
            jobs.c.owner_id,
            runs.c.status,
            type_coerce(func.coalesce(runs.c.reason, ""), Text).label("reason"),
            (runs.c.trigger == Trigger.SCHEDULE).label("is_scheduled"),
            hour_start(runs.c.scheduled_for).label("first_hour"),
            hour_start(func.coalesce(runs.c.missed_until, runs.c.scheduled_for)).label("last_hour"),
            hour_start(runs.c.finished_at).label("end_hour"),
            runs.c.scheduled_for,
            runs.c.missed_until,
            func.coalesce(runs.c.missed_count, 1).label("instants"),
            bucket_of(seconds_between(runs.c.started_at, runs.c.finished_at)).label("duration"),
            bucket_of(runs.c.lateness_seconds).label("lateness"),
        )
        .select_from(chosen.join(runs, runs.c.id == chosen.c.id).join(jobs, jobs.c.id == runs.c.job_id))
        .where(with_status(*sorted(TERMINAL)), runs.c.trigger != "test", condition)
    )
    return query.cte("ended")


def bucket_of(seconds: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the bucket of a duration: its upper bound in milliseconds, or 0 for NULL."""
    return case((seconds.is_(None), literal_column("0")), else_=_bucket_among(seconds, (*BUCKETS, BEYOND)))


def _bucket_among(seconds: ColumnElement[Any], bounds: Sequence[int]) -> ColumnElement[Any]:
    """Return the first bound that is not exceeded, by halving: seven comparisons of a row instead of eighty."""
    if len(bounds) == 1:
        return literal_column(str(bounds[0]))
    middle = len(bounds) // 2
    is_below = seconds <= literal_column(str(bounds[middle - 1] / 1000))
    return case((is_below, _bucket_among(seconds, bounds[:middle])), else_=_bucket_among(seconds, bounds[middle:]))


def _counts(ended: CTE) -> Select[Any]:
    """Return the figures of ended runs, for all owners and for each, without rows that cover several hours."""
    kept = ended.c.first_hour == ended.c.last_hour
    parts = [
        _part(ended, INSTANT, ended.c.first_hour, and_(ended.c.is_scheduled, kept), ended.c.instants),
        _part(ended, ENDED, ended.c.end_hour, true(), ended.c.instants),
        _part(ended, DURATION, ended.c.end_hour, ended.c.duration != 0, literal_column("1"), ended.c.duration),
        _part(ended, LATENESS, ended.c.end_hour, ended.c.lateness != 0, literal_column("1"), ended.c.lateness),
    ]
    each = union_all(*parts).subquery()
    key = (each.c.measure, each.c.hour, each.c.status, each.c.reason, each.c.bucket)
    totals = (func.count().label("rows"), func.sum(each.c.instants).label("instants"))
    # All owners together are the sum over the owners, of which there are fewer than runs.
    of_owners = select(each.c.owner_id, *key, *totals).group_by(each.c.owner_id, *key).cte("of_owners")
    names = [of_owners.c[column.name] for column in key]
    sums = [_sum(of_owners, name) for name in _MEASURED]
    both = union_all(
        select(literal_column(f"'{EVERYBODY}'").label("scope"), *names, *sums).group_by(*names),
        select(
            literal_column("'='").concat(of_owners.c.owner_id).label("scope"),
            *names,
            of_owners.c.rows,
            of_owners.c.instants,
        ),
    ).subquery()
    # SQLite takes ON CONFLICT for the condition of a join unless a WHERE precedes it (its manual, UPSERT, 2.2).
    return select(*(both.c[name] for name in _NAMES)).where(true())


def _part(
    ended: CTE,
    measure: str,
    hour: ColumnElement[Any],
    condition: ColumnElement[bool],
    instants: ColumnElement[Any],
    bucket: ColumnElement[Any] | None = None,
) -> Select[Any]:
    of_bucket = literal_column("0") if bucket is None else bucket
    return select(
        ended.c.owner_id,
        literal_column(f"'{measure}'").label("measure"),
        hour.label("hour"),
        ended.c.status,
        ended.c.reason,
        of_bucket.label("bucket"),
        instants.label("instants"),
    ).where(condition)


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
        dict(zip(_NAMES, (scope, INSTANT, hour, *state, 0, *counts), strict=True))
        for (scope, *state), of_hours in figures.items()
        for hour, counts in of_hours.items()
    ]


def _count(row: Any) -> HourCount:
    return HourCount(
        row.hour, row.status, Reason(row.reason) if row.reason else None, row.bucket, row.rows, row.instants
    )


def _reason(row: Mapping[str, Any]) -> Reason | None:
    return Reason(row["reason"]) if row["reason"] else None
