"""Lists of runs, newest first, page by page.

Theory of operation. The order is that of the ids. A list that `since` or `until` limits is in the order of its
instants, so that an index leads to a window in the far past. Few runs are unsuccessful or not of a schedule; partial
indexes contain these.

The runs of one owner can be anywhere among those of others. The newest WINDOW ids are searched first. If they do not
fill the page, the owner has few runs there, and the newest of each of the owner's jobs are merged.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    lateral,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.listing import MAX_COUNTED, Count, Cursor, Listing, Page, RunFilter
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import ACTIVE, Trigger
from scheduler_service.storage.dialect import dicts, is_sqlite
from scheduler_service.storage.runs import is_of_owner
from scheduler_service.storage.tables import UNSUCCESSFUL, jobs, runs, with_status

WINDOW = 5_000
_IS_UNSCHEDULED: ColumnElement[bool] = literal_column("runs.\"trigger\" <> 'schedule'")


async def page(
    connection: AsyncConnection, filters: RunFilter, page: Page, *, owner_id: str | None = None
) -> Listing[Run]:
    """Return a page of runs, newest first. `owner_id` restricts the list to one owner's jobs."""
    owners = {owner for owner in (owner_id, filters.owner_id) if owner is not None}
    condition = and_(_condition(connection, filters), *(is_of_owner(owner) for owner in sorted(owners)))
    total = None if page.count is Count.NONE else await _count(connection, condition, page.count)
    rows = await _rows(connection, filters, page, condition, owners)
    found = tuple(Run(**row) for row in rows[: page.size])
    is_last = len(rows) <= page.size
    return Listing(found, total, None if is_last else _cursor(found[-1], by_instant=_by_instant(filters, page)))


async def _rows(
    connection: AsyncConnection, filters: RunFilter, page: Page, condition: ColumnElement[bool], owners: set[str]
) -> list[dict[str, Any]]:
    """Return the rows of a page and one more, if there is one."""
    by_instant = _by_instant(filters, page)
    position = _position(page, by_instant=by_instant)
    owner = next(iter(owners)) if len(owners) == 1 else None
    if owner is not None and not page.offset and not by_instant and filters.job_id is None:
        positioned = and_(position, _condition(connection, filters))
        rows = await _fetch(connection, _newest_of_owner(page, positioned, owner), by_instant=False)
        if len(rows) > page.size:
            return rows
        keys = _newest_of_each_job(connection, owner, positioned, page.size + 1)
    else:
        keys = select(runs.c.id).where(and_(position, condition)).order_by(*_order(by_instant=by_instant))
        keys = keys.limit(page.size + 1).offset(page.offset)
    return await _fetch(connection, keys, by_instant=by_instant)


async def _fetch(connection: AsyncConnection, keys: Select[int], *, by_instant: bool) -> list[dict[str, Any]]:
    query = select(runs).where(runs.c.id.in_(keys)).order_by(*_order(by_instant=by_instant))
    return dicts(await connection.execute(query))


def _newest_of_owner(page: Page, positioned: ColumnElement[bool], owner_id: str) -> Select[int]:
    last = page.cursor.id if page.cursor is not None else page.before_id
    newest = select(func.max(runs.c.id)).scalar_subquery() if last is None else literal(last)
    is_owned = select(jobs.c.id).where(jobs.c.id == runs.c.job_id, jobs.c.owner_id == owner_id).exists()
    query = select(runs.c.id).where(runs.c.id > newest - WINDOW, positioned, is_owned)
    return query.order_by(runs.c.id.desc()).limit(page.size + 1)


def _newest_of_each_job(
    connection: AsyncConnection, owner_id: str, positioned: ColumnElement[bool], limit: int
) -> Select[int]:
    newest = select(runs.c.id).where(runs.c.job_id == jobs.c.id, positioned).order_by(runs.c.id.desc()).limit(limit)
    if is_sqlite(connection):  # has no LATERAL, but evaluates such a subquery once for each job
        candidate = runs.alias("candidate")
        source = jobs.join(candidate, candidate.c.id.in_(newest.correlate(jobs)))
        found: ColumnElement[int] = candidate.c.id
    else:
        each = lateral(newest.correlate(jobs), "newest")
        source = jobs.join(each, true())
        found = each.c.id
    return select(found).select_from(source).where(jobs.c.owner_id == owner_id).order_by(found.desc()).limit(limit)


async def _count(connection: AsyncConnection, condition: ColumnElement[bool], count: Count) -> int:
    query = select(func.count()).select_from(runs).where(condition)
    if count is Count.CAPPED:
        query = select(func.count()).select_from(select(runs.c.id).where(condition).limit(MAX_COUNTED).subquery())
    return (await connection.execute(query)).scalar_one()


def _by_instant(filters: RunFilter, page: Page) -> bool:
    return page.before_id is None and (filters.since is not None or filters.until is not None)


def _order(*, by_instant: bool) -> list[ColumnElement[Any]]:
    return [runs.c.scheduled_for.desc(), runs.c.id.desc()] if by_instant else [runs.c.id.desc()]


def _position(page: Page, *, by_instant: bool) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if page.before_id is not None:
        conditions.append(runs.c.id < page.before_id)
    if page.cursor is not None and by_instant:
        last = tuple_(literal(page.cursor.value, runs.c.scheduled_for.type), literal(page.cursor.id, runs.c.id.type))
        conditions.append(tuple_(runs.c.scheduled_for, runs.c.id) < last)
    elif page.cursor is not None:
        conditions.append(runs.c.id < page.cursor.id)
    return and_(true(), *conditions)


def _cursor(run: Run, *, by_instant: bool) -> Cursor:
    return Cursor(run.id, run.scheduled_for if by_instant else None)


def _condition(connection: AsyncConnection, filters: RunFilter) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if filters.job_id is not None:
        conditions.append(runs.c.job_id == filters.job_id)
    if filters.trigger is not None:
        conditions.append(runs.c.trigger == filters.trigger)
        if filters.trigger is not Trigger.SCHEDULE:
            conditions.append(_IS_UNSCHEDULED)
    if filters.status is not None:
        conditions.append(with_status(filters.status))
        if is_sqlite(connection):  # uses a partial index only if its own words are in the query
            conditions += [with_status(*kept) for kept in (UNSUCCESSFUL, ACTIVE) if filters.status in kept]
    if filters.since is not None:
        conditions.append(runs.c.scheduled_for >= filters.since)
    if filters.until is not None:
        conditions.append(runs.c.scheduled_for < filters.until)
    return and_(true(), *conditions)
