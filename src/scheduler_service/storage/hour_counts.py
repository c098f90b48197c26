"""The statements that count ended runs by hour, for all owners and for each.

See `hour_totals` for the measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    type_coerce,
    union_all,
)

from scheduler_service.domain.run_state import TERMINAL, Trigger
from scheduler_service.storage.dialect import hour_start, seconds_between
from scheduler_service.storage.hour_tables import hour_totals
from scheduler_service.storage.tables import jobs, runs, with_status

EVERYBODY = "*"
INSTANT, ENDED, DURATION, LATENESS = "instant", "ended", "duration", "lateness"
BUCKETS = tuple(sorted({round(2 ** (step / 3)) for step in range(82)}))
"""Upper bounds in milliseconds, from 1 ms to a day, each about a quarter above the one before."""
BEYOND = 2**31 - 1
MEASURED = ("rows", "instants")
NAMES = tuple(column.name for column in hour_totals.columns)


def ended_runs(ids: Select[Any], condition: ColumnElement[bool]) -> CTE:
    """Return the chosen runs that have ended, with the hours and buckets in which they count."""
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


def counts_of(ended: CTE) -> Select[Any]:
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
    sums = [total_of(of_owners, name) for name in MEASURED]
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
    return select(*(both.c[name] for name in NAMES)).where(true())


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


def total_of(each: FromClause, name: str) -> ColumnElement[int]:
    """Return a sum of counts. On PostgreSQL, that of BIGINT would be NUMERIC."""
    return cast(func.sum(each.c[name]), BigInteger).label(name)
