"""Lists of runs, newest first, page by page.

Theory of operation. The order is that of the ids. A list that `since` or `until` limits is in the order of its
instants, so that an index leads to a window in the far past. Few runs are unsuccessful or not of a schedule; partial
indexes contain these.

Several statuses are several lists, which are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import starmap
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.listing import LATE_SECONDS, MAX_COUNTED, Count, Cursor, Listing, Page, RunFilter
from scheduler_service.domain.records import Run, RunState
from scheduler_service.domain.run_state import ACTIVE, RunStatus, Trigger
from scheduler_service.storage.dialect import dicts, is_sqlite
from scheduler_service.storage.draft_runs import is_no_test
from scheduler_service.storage.kept_statements import KeptStatements
from scheduler_service.storage.runs_of_jobs import ChosenJobs, RunReader, order_of, rows_of_jobs
from scheduler_service.storage.tables import UNSUCCESSFUL, jobs, runs, with_status

_whole = select(runs)
# In the order of the fields, so that a row is the arguments of a record.
_states = select(
    *(jobs.c.name.label("job_name") if field.name == "job_name" else runs.c[field.name] for field in fields(RunState))
)
_states = _states.join(jobs, jobs.c.id == runs.c.job_id)
# As in `ux_runs_instant`, which counts them without reading rows.
_IS_SCHEDULED: ColumnElement[bool] = literal_column("runs.\"trigger\" = 'schedule'")
_IS_UNSCHEDULED: ColumnElement[bool] = literal_column("runs.\"trigger\" <> 'schedule'")
# In the words of `ix_runs_late`, as SQLite demands.
_IS_LATE: ColumnElement[bool] = literal_column(f"runs.lateness_seconds >= {LATE_SECONDS}")

_kept: KeptStatements[tuple[Select[Any], Select[Any]]] = KeptStatements()


async def page(
    connection: AsyncConnection, filters: RunFilter, page: Page, *, owner_id: str | None = None
) -> Listing[Run]:
    """Return a page of runs, newest first. `owner_id` restricts the list to one owner's jobs."""
    listing = await _page(connection, _whole, filters, page, owner_id)
    return Listing(tuple(Run(**row._asdict()) for row in listing.items), listing.total, listing.next)


async def page_of_states(
    connection: AsyncConnection, filters: RunFilter, page: Page, *, owner_id: str | None = None
) -> Listing[RunState]:
    """Return a page as `page` does, but only few columns of each run."""
    listing = await _page(connection, _states, filters, page, owner_id)
    return Listing(tuple(starmap(RunState, listing.items)), listing.total, listing.next)


async def read(connection: AsyncConnection, run_ids: Sequence[int]) -> dict[int, Run]:
    """Return runs by their ids."""
    rows = dicts(await connection.execute(_whole.where(runs.c.id.in_(run_ids)))) if run_ids else []
    return {row["id"]: Run(**row) for row in rows}


async def _page(
    connection: AsyncConnection, columns: Select[Any], filters: RunFilter, page: Page, owner_id: str | None
) -> Listing[Row[Any]]:
    if None not in (owner_id, filters.owner_id) and owner_id != filters.owner_id:
        return Listing((), None if page.count is Count.NONE else 0)
    if owner_id is None and filters == RunFilter() and page.cursor is None and page.before_id is None:
        return await _plain_page(connection, columns, page)
    chosen = ChosenJobs(owner_id if filters.owner_id is None else filters.owner_id, filters.tag)
    total = None if page.count is Count.NONE else await _count(connection, filters, chosen, page.count)
    rows = await _rows(RunReader(connection, columns), filters, page, chosen)
    found = tuple(rows[: page.size])
    is_last = len(rows) <= page.size
    return Listing(found, total, None if is_last else _cursor(found[-1], by_instant=_by_instant(filters, page)))


async def _plain_page(connection: AsyncConnection, columns: Select[Any], page: Page) -> Listing[Row[Any]]:
    """Return a page of the runs of all jobs."""

    def build() -> tuple[Select[Any], Select[Any]]:
        of_all = select(runs.c.id).where(_condition(connection, RunFilter()))
        counted = of_all.limit(MAX_COUNTED) if page.count is Count.CAPPED else of_all
        keys = of_all.order_by(*order_of(by_instant=False)).limit(page.size + 1).offset(page.offset)
        query = columns.where(runs.c.id.in_(keys)).order_by(*order_of(by_instant=False))
        return select(func.count()).select_from(counted.subquery()), query

    count, query = _kept.find((is_sqlite(connection), columns is _states, page), build)
    total = None if page.count is Count.NONE else (await connection.execute(count)).scalar_one()
    rows = (await connection.execute(query)).all()
    following = _cursor(rows[page.size - 1], by_instant=False) if len(rows) > page.size else None
    return Listing(tuple(rows[: page.size]), total, following)


async def _rows(reader: RunReader, filters: RunFilter, page: Page, chosen: ChosenJobs) -> Sequence[Row[Any]]:
    """Return the rows of a page and one more, if there is one."""
    by_instant = _by_instant(filters, page)
    position = _position(page, by_instant=by_instant)
    if not chosen.are_all and not page.offset and not by_instant and filters.job_id is None:
        return await rows_of_jobs(reader, page, and_(position, _condition(reader.connection, filters)), chosen)
    of_jobs = [] if chosen.are_all else [runs.c.job_id.in_(chosen.ids())]
    lists = [
        select(runs.c.id, runs.c.scheduled_for)
        .where(and_(position, _condition(reader.connection, each), *of_jobs))
        .order_by(*_key_order(each, by_instant=by_instant))
        for each in _lists(filters)
    ]
    return await _fetch(reader, lists, page, by_instant=by_instant)


def _lists(filters: RunFilter) -> list[RunFilter]:
    """Return a filter for each status, because an index is in the order of ids within one status only."""
    if len(filters.statuses) < 2 or filters.reason is not None:  # noqa: PLR2004
        return [filters]
    return [replace(filters, statuses=(status,)) for status in dict.fromkeys(filters.statuses)]


async def _fetch(reader: RunReader, lists: list[Select[Any]], page: Page, *, by_instant: bool) -> Sequence[Row[Any]]:
    """Return the rows of a page and one more from the merged lists of keys."""
    last = page.offset + page.size + 1
    if len(lists) > 1:
        each = [query.limit(last).subquery() for query in lists]
        merged = union_all(*(select(keys.c.id, keys.c.scheduled_for) for keys in each)).subquery()
        order = [merged.c.scheduled_for.desc(), merged.c.id.desc()] if by_instant else [merged.c.id.desc()]
        found: Select[Any] = select(merged.c.id).order_by(*order)
    else:
        found = lists[0].with_only_columns(runs.c.id)
    return await reader.read(found.limit(page.size + 1).offset(page.offset), by_instant=by_instant)


async def _count(connection: AsyncConnection, filters: RunFilter, chosen: ChosenJobs, count: Count) -> int:
    of_jobs = [] if chosen.are_all else [runs.c.job_id.in_(chosen.ids())]
    source: FromClause = runs
    if not chosen.are_all and filters == RunFilter(owner_id=filters.owner_id, tag=filters.tag):
        # Job by job: as a condition, the databases would collect the ids of all jobs first.
        ids, of_jobs = chosen.ids().subquery(), []
        source = ids.join(runs, runs.c.job_id == ids.c[0])
    counts: list[ColumnElement[int]] = []
    for each in _lists(filters):
        found = select(runs.c.id).select_from(source).where(and_(_condition(connection, each), *of_jobs))
        if count is Count.CAPPED:
            found = found.limit(MAX_COUNTED)
        counts.append(select(func.count()).select_from(found.subquery()).scalar_subquery())
    total = sum((await connection.execute(select(*counts))).one())
    return min(total, MAX_COUNTED) if count is Count.CAPPED else total


def _by_instant(filters: RunFilter, page: Page) -> bool:
    return page.before_id is None and (filters.since is not None or filters.until is not None)


def _key_order(filters: RunFilter, *, by_instant: bool) -> list[ColumnElement[Any]]:
    """Return the order of the keys of one list.

    Active runs are few, and found by a partial index in another order. Without statistics, SQLite would read all runs
    in the order of ids instead. The expression keeps it from that.
    """
    if by_instant or not filters.statuses or not set(filters.statuses) <= set(ACTIVE):
        return order_of(by_instant=by_instant)
    return [(runs.c.id + literal_column("0")).desc()]


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


def _cursor(row: Row[Any], *, by_instant: bool) -> Cursor:
    return Cursor(row.id, row.scheduled_for if by_instant else None)


def _condition(connection: AsyncConnection, filters: RunFilter) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if filters.job_id is not None:
        conditions.append(runs.c.job_id == filters.job_id)
    if filters.trigger is None:
        conditions.append(is_no_test())
    elif filters.trigger is Trigger.SCHEDULE:
        conditions.append(_IS_SCHEDULED)
    else:
        conditions += [runs.c.trigger == filters.trigger, _IS_UNSCHEDULED]
    if filters.reason is not None:
        conditions.append(runs.c.reason == filters.reason)
    if filters.is_late:
        conditions.append(_IS_LATE)
    if filters.statuses and filters.reason is not None:
        # PostgreSQL takes both for independent, expects few rows, and sorts all with the reason; this form it cannot
        # estimate.
        conditions.append(case((with_status(*filters.statuses), true()), else_=false()))
    elif filters.statuses:
        conditions += _with_one_of(connection, filters.statuses)
    return and_(true(), *conditions, *_within(filters))


def _within(filters: RunFilter) -> Iterator[ColumnElement[bool]]:
    if filters.since is not None or filters.until is not None:
        yield literal_column("runs.scheduled_for IS NOT NULL")  # as in `ix_runs_unsuccessful_at`
    if filters.since is not None:
        yield runs.c.scheduled_for >= filters.since
    if filters.until is not None:
        yield runs.c.scheduled_for < filters.until


def _with_one_of(connection: AsyncConnection, statuses: tuple[RunStatus, ...]) -> list[ColumnElement[bool]]:
    conditions = [with_status(*statuses)]
    if is_sqlite(connection):  # uses a partial index only if its own words are in the query
        conditions += [with_status(*kept) for kept in (UNSUCCESSFUL, ACTIVE) if set(statuses) <= set(kept)]
    return conditions
