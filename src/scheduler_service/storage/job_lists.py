"""Lists of jobs, page by page.

Theory of operation. The keys of a page come from an index in the requested order, so that the database reads no more
rows than the page shows. A tag, a searched text or a sort column leads through the tables of `list_tables`; everything
else through `jobs`. A sort column that can be NULL has two parts, the rows with a value and those without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import starmap
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.listing import MAX_COUNTED, Count, Cursor, JobFilter, Listing, Page
from scheduler_service.domain.records import Job, JobState
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.storage import job_filters
from scheduler_service.storage.dialect import dicts, is_sqlite
from scheduler_service.storage.kept_statements import KeptStatements
from scheduler_service.storage.list_tables import job_lookup, job_tags
from scheduler_service.storage.tables import jobs

SORTS = ("id", "name", "created_at", "updated_at", "next_run_at", "priority")
MAX_LISTED_CHARACTERS = 16 * 1024
"""Lists omit fields with longer JSON, so that a page of long programs fits into memory."""
_LARGE = tuple(column.name for column in jobs.c if column.info.get("may_be_large"))


def _unless_large(column: Column[Any]) -> ColumnElement[Any]:
    is_large = func.length(cast(column, Text)) > MAX_LISTED_CHARACTERS
    return case((is_large, null()), else_=column).label(column.name)


_listed = select(
    *(
        _unless_large(column) if column.name in _LARGE else column
        for column in jobs.c
        if column is not jobs.c.last_result
    ),
    jobs.c.payload["type"].as_string().label("payload_type"),
)


# In the order of the fields, so that a row is the arguments of a record.
_states = select(*(jobs.c[field.name] for field in fields(JobState)))

_kept: KeptStatements[tuple[Select[Any], Select[Any]]] = KeptStatements()


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a list in one order: all of them, or those with or without a value in the sort column.

    If `is_short`, they are read first and then sorted, instead of being sought in the order of an index.
    """

    source: FromClause
    job_id: ColumnElement[int]
    condition: ColumnElement[bool]
    value: ColumnElement[Any] | None
    has_value: bool = True
    is_short: bool = False


async def page(
    connection: AsyncConnection, filters: JobFilter, page: Page, *, owner_id: str | None = None
) -> Listing[Job]:
    """Return a page of jobs without fields longer than MAX_LISTED_CHARACTERS. `owner_id` restricts the list."""
    listing = await _page(connection, _listed, filters, page, owner_id)
    return Listing(tuple(_from_list(row._asdict()) for row in listing.items), listing.total, listing.next)


async def page_of_states(
    connection: AsyncConnection, filters: JobFilter, page: Page, *, owner_id: str | None = None
) -> Listing[JobState]:
    """Return a page as `page` does, but only what changes without a new version of a job."""
    listing = await _page(connection, _states, filters, page, owner_id)
    return Listing(tuple(starmap(JobState, listing.items)), listing.total, listing.next)


async def read(connection: AsyncConnection, job_ids: Sequence[int]) -> dict[int, Job]:
    """Return jobs by their ids, as `page` does."""
    rows = dicts(await connection.execute(_listed.where(jobs.c.id.in_(job_ids)))) if job_ids else []
    return {row["id"]: _from_list(row) for row in rows}


async def _page(
    connection: AsyncConnection, columns: Select[Any], filters: JobFilter, page: Page, owner_id: str | None
) -> Listing[Row[Any]]:
    if page.cursor is None and filters == JobFilter(sort=filters.sort) and not filters.sort.endswith("next_run_at"):
        return await _plain_page(connection, columns, filters.sort, page, owner_id)
    parts = await _parts(connection, filters, owner_id)
    total = None
    if page.count is not Count.NONE:  # counted in the order of the smallest index
        counted = replace(filters, sort="next_run_at" if filters.is_by_instant else "id")
        total = await _count(connection, await _parts(connection, counted, owner_id), page.count)
    rows = await _rows(connection, columns, parts, page, is_descending=filters.sort.startswith("-"))
    found = tuple(rows[: page.size])
    return Listing(found, total, _cursor(found[-1], filters.sort) if len(rows) > page.size else None)


async def _plain_page(
    connection: AsyncConnection, columns: Select[Any], sort: str, page: Page, owner_id: str | None
) -> Listing[Row[Any]]:
    """Return a page of a list that no filter but the owner limits."""

    def build() -> tuple[Select[Any], Select[Any]]:
        filters, is_descending = JobFilter(sort=sort), sort.startswith("-")
        condition = job_filters.matches(connection, filters, owner_id)
        source, job_id, value, _ = _lead(sort.removeprefix("-"), filters, None)
        part = _Part(source, job_id, condition, value)
        keys = _keys(part, None, is_descending=is_descending).limit(page.size + 1).offset(page.offset)
        counted = _Part(jobs, jobs.c.id, condition, None)
        return _count_of(counted, page.count), _rows_of(columns, part, keys, is_descending=is_descending)

    key = (is_sqlite(connection), columns is _states, sort, page, owner_id)
    count, query = _kept.find(key, build)
    total = None if page.count is Count.NONE else (await connection.execute(count)).scalar_one()
    rows = (await connection.execute(query)).all()
    return Listing(
        tuple(rows[: page.size]), total, _cursor(rows[page.size - 1], sort) if len(rows) > page.size else None
    )


def _rows_of(columns: Select[Any], part: _Part, keys: Select[int], *, is_descending: bool) -> Select[Any]:
    order = _order(part, of_jobs=True, is_descending=is_descending)
    return columns.where(jobs.c.id.in_(keys)).order_by(*order)


async def _rows(
    connection: AsyncConnection, columns: Select[Any], parts: Sequence[_Part], page: Page, *, is_descending: bool
) -> list[Row[Any]]:
    """Return the rows of a page and one more, if there is one."""
    rows: list[Row[Any]] = []
    offset = page.offset
    if page.cursor is not None and page.cursor.value is None:
        parts = parts[-1:]  # the rows without a value come last, and a list by id has one part
    for index, part in enumerate(parts):
        cursor = page.cursor if index == 0 else None
        wanted = page.size + 1 - len(rows)
        keys = _keys(part, cursor, is_descending=is_descending).limit(wanted).offset(offset)
        query = _rows_of(columns, part, keys, is_descending=is_descending)
        found = (await connection.execute(query)).all()
        rows += found
        if len(rows) > page.size or index == len(parts) - 1:
            break
        if offset:
            before = len(found) + offset if found else await _count(connection, [part], Count.EXACT)
            offset = max(0, offset - before)
    return rows


def _keys(part: _Part, cursor: Cursor | None, *, is_descending: bool) -> Select[int]:
    query = select(part.job_id).select_from(part.source).where(part.condition)
    if cursor is not None:
        query = query.where(_is_behind(part, cursor, is_descending=is_descending))
    order = _order(part, is_descending=is_descending, is_index_kept_out=part.is_short)
    return query.order_by(*order)


def _is_behind(part: _Part, cursor: Cursor, *, is_descending: bool) -> ColumnElement[bool]:
    if part.value is None or not part.has_value or cursor.value is None:
        return part.job_id < cursor.id if is_descending else part.job_id > cursor.id
    row = tuple_(part.value, part.job_id)
    last = tuple_(literal(cursor.value, part.value.type), literal(cursor.id, jobs.c.id.type))
    return row < last if is_descending else row > last


def _order(
    part: _Part, *, is_descending: bool, of_jobs: bool = False, is_index_kept_out: bool = False
) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = [jobs.c.id if of_jobs else part.job_id]
    if part.value is not None and part.has_value:
        columns.insert(0, jobs.c[part.value.name] if of_jobs else part.value)
    if is_index_kept_out:
        columns = [func.coalesce(column, column) for column in columns]
    return [column.desc() if is_descending else column.asc() for column in columns]


async def _count(connection: AsyncConnection, parts: Sequence[_Part], count: Count) -> int:
    total: int = sum([(await connection.execute(_count_of(part, count))).scalar_one() for part in parts])
    return min(total, MAX_COUNTED) if count is Count.CAPPED else total


def _count_of(part: _Part, count: Count) -> Select[Any]:
    if count is not Count.CAPPED:
        return select(func.count()).select_from(part.source).where(part.condition)
    some = select(part.job_id).select_from(part.source).where(part.condition).limit(MAX_COUNTED)
    return select(func.count()).select_from(some.subquery())


async def _parts(connection: AsyncConnection, filters: JobFilter, owner_id: str | None) -> list[_Part]:
    sort = filters.sort.removeprefix("-")
    searched = None if filters.q is None else await job_filters.search(connection, filters.q)
    source, job_id, value, used = _lead(sort, filters, searched)
    rare = await job_filters.rare_ids(connection, filters, job_id)
    conditions = [job_filters.matches(connection, filters, owner_id), *rare]
    if filters.tag is not None and used is job_tags:
        conditions.append(job_tags.c.tag == filters.tag)
    for ids in _chosen(filters, has_tag=used is job_tags):
        among, is_rare = await job_filters.is_among(connection, job_id, ids)
        conditions.append(among)
        rare += [among] if is_rare else []
    if searched is not None:
        found = select(searched.job_id).select_from(searched.source).where(searched.condition)
        conditions.append(searched.condition if used is searched.source else job_id.in_(found))
    condition = and_(*conditions)
    # PostgreSQL knows the lengths of both ways.
    is_short = bool(rare) and sort != "id" and is_sqlite(connection)
    part = _Part(source, job_id, condition, value, is_short=is_short)
    return _parts_by_instant(filters, part) if sort == "next_run_at" else [part]


def _chosen(filters: JobFilter, *, has_tag: bool) -> Iterator[Select[int]]:
    """Yield the ids of the jobs with the tag, unless the list has it already, and of those with the name."""
    if filters.tag is not None and not has_tag:
        yield select(job_tags.c.job_id).where(job_tags.c.tag == filters.tag)
    if filters.name is not None:
        named = job_lookup.alias("named")
        yield select(named.c.job_id).where(named.c.name == filters.name)


def _parts_by_instant(filters: JobFilter, part: _Part) -> list[_Part]:
    """Return the jobs with a next instant, and then those without. Only an active job has one."""
    has_instant: ColumnElement[bool] = jobs.c.next_run_at.is_not(None)
    if filters.due_before is not None:
        has_instant = and_(has_instant, jobs.c.next_run_at < filters.due_before)
    if filters.due_since is not None:
        has_instant = and_(has_instant, jobs.c.next_run_at >= filters.due_since)
    due = replace(part, condition=and_(part.condition, has_instant))
    idle = replace(part, condition=and_(part.condition, jobs.c.next_run_at.is_(None)), has_value=False)
    if filters.is_by_instant:
        return [due]
    return [idle] if filters.status not in {None, JobStatus.ACTIVE} else [due, idle]


def _lead(
    sort: str, filters: JobFilter, search: job_filters.Search | None
) -> tuple[FromClause, ColumnElement[int], ColumnElement[Any] | None, FromClause]:
    """Return what to select from, its job id, its sort column if that is not the id, and the table that leads."""
    if sort == "next_run_at":
        return jobs, jobs.c.id, jobs.c.next_run_at, jobs
    if sort != "id":
        return _with_jobs(job_lookup, job_lookup.c.job_id), job_lookup.c.job_id, job_lookup.c[sort], job_lookup
    if filters.tag is not None:
        return _with_jobs(job_tags, job_tags.c.job_id), job_tags.c.job_id, None, job_tags
    if search is not None:
        return _with_jobs(search.source, search.job_id), search.job_id, None, search.source
    return jobs, jobs.c.id, None, jobs


def _with_jobs(leading: FromClause, job_id: ColumnElement[int]) -> FromClause:
    return leading.join(jobs, jobs.c.id == job_id)


def _cursor(row: Row[Any], sort: str) -> Cursor:
    column = sort.removeprefix("-")
    return Cursor(row.id, None if column == "id" else getattr(row, column))


def _from_list(row: dict[str, Any]) -> Job:
    payload_type = row.pop("payload_type")
    left_out = tuple(name for name in _LARGE if row[name] is None)
    row |= {name: {"type": payload_type} if name == "payload" else {} for name in left_out}
    return Job(**row, left_out=left_out)
