"""Lists of the runs of some jobs: those of an owner, or with a tag.

Theory of operation. These runs can be anywhere among those of others. With up to MAX_MERGED_JOBS jobs, the newest runs
of each are merged. More jobs have runs among the newest ones of all, so that all are searched: the newest WINDOW ids
first, and then the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, lateral, literal, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.listing import Page
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.list_tables import job_tags
from scheduler_service.storage.tables import jobs, runs

WINDOW = 10_000
MAX_MERGED_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class ChosenJobs:
    """The jobs whose runs are listed."""

    owner_id: str | None
    tag: str | None

    @property
    def are_all(self) -> bool:
        return self.owner_id is None and self.tag is None

    def ids(self) -> Select[int]:
        """Return the query for their ids."""
        if self.tag is None:
            return select(jobs.c.id).where(jobs.c.owner_id == self.owner_id)
        tagged = select(job_tags.c.job_id).where(job_tags.c.tag == self.tag)
        if self.owner_id is None:
            return tagged
        return tagged.join(jobs, jobs.c.id == job_tags.c.job_id).where(jobs.c.owner_id == self.owner_id)

    def include_job_of_run(self) -> ColumnElement[bool]:
        """Return the condition on a run, to be checked row by row."""
        conditions: list[ColumnElement[bool]] = []
        if self.owner_id is not None:
            owned = select(jobs.c.id).where(jobs.c.id == runs.c.job_id, jobs.c.owner_id == self.owner_id)
            conditions.append(owned.exists())
        if self.tag is not None:
            tagged = select(job_tags.c.job_id).where(job_tags.c.job_id == runs.c.job_id, job_tags.c.tag == self.tag)
            conditions.append(tagged.exists())
        return and_(*conditions)


@dataclass(frozen=True, slots=True)
class RunReader:
    """Reads columns of the runs with some keys."""

    connection: AsyncConnection
    columns: Select[Any]

    async def read(self, keys: Select[Any], *, by_instant: bool = False) -> Sequence[Row[Any]]:
        query = self.columns.where(runs.c.id.in_(keys)).order_by(*order_of(by_instant=by_instant))
        rows: Sequence[Row[Any]] = (await self.connection.execute(query)).all()
        return rows


async def has_more_jobs(connection: AsyncConnection, owner_id: str, limit: int) -> bool:
    """Return whether an owner has more jobs than `limit`, also deleted ones."""
    return await _is_longer(connection, ChosenJobs(owner_id, None).ids(), limit)


async def _is_longer(connection: AsyncConnection, ids: Select[int], limit: int) -> bool:
    some = ids.limit(limit + 1).subquery()
    count: int = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return count > limit


async def rows_of_jobs(
    reader: RunReader, page: Page, positioned: ColumnElement[bool], chosen: ChosenJobs
) -> Sequence[Row[Any]]:
    """Return the rows of a page of some jobs' runs and one more."""
    limit = page.size + 1
    if not await _is_longer(reader.connection, chosen.ids(), MAX_MERGED_JOBS):
        oldest = await _oldest_id(reader.connection, chosen, positioned, limit)
        if oldest is not None:
            return await reader.read(_since_id(oldest, chosen, positioned).limit(limit))
        return await reader.read(_newest_of_each_job(reader.connection, chosen, positioned, limit))
    rows = await reader.read(_among_newest(page, positioned, chosen).limit(limit))
    return rows if len(rows) == limit else await reader.read(_of_jobs(positioned, chosen).limit(limit))


async def _oldest_id(
    connection: AsyncConnection, chosen: ChosenJobs, positioned: ColumnElement[bool], limit: int
) -> int | None:
    """Return an id from which on the chosen jobs have `limit` runs: that of the job whose newest run is the limit-th.

    Return None if fewer jobs have runs.
    """
    ids = chosen.ids().subquery()
    newest = select(runs.c.id).where(runs.c.job_id == ids.c[0], positioned).order_by(runs.c.id.desc()).limit(1)
    of_each = select(newest.correlate(ids).scalar_subquery().label("id")).select_from(ids).subquery()
    query = select(of_each.c.id).where(of_each.c.id.is_not(None)).order_by(of_each.c.id.desc())
    found: int | None = (await connection.execute(query.limit(1).offset(limit - 1))).scalar_one_or_none()
    return found


def _since_id(oldest: int, chosen: ChosenJobs, positioned: ColumnElement[bool]) -> Select[int]:
    ids = chosen.ids().subquery()
    source = ids.join(runs, and_(runs.c.job_id == ids.c[0], runs.c.id >= oldest))
    return select(runs.c.id).select_from(source).where(positioned).order_by((runs.c.id + literal_column("0")).desc())


def _among_newest(page: Page, positioned: ColumnElement[bool], chosen: ChosenJobs) -> Select[Any]:
    last = page.cursor.id if page.cursor is not None else page.before_id
    newest = select(func.max(runs.c.id)).scalar_subquery() if last is None else literal(last)
    return _of_jobs(and_(runs.c.id > newest - WINDOW, positioned), chosen)


def _of_jobs(positioned: ColumnElement[bool], chosen: ChosenJobs) -> Select[Any]:
    return select(runs.c.id).where(positioned, chosen.include_job_of_run()).order_by(runs.c.id.desc())


def _newest_of_each_job(
    connection: AsyncConnection, chosen: ChosenJobs, positioned: ColumnElement[bool], limit: int
) -> Select[int]:
    ids = chosen.ids().subquery()
    job_id = ids.c[0]
    newest = select(runs.c.id).where(runs.c.job_id == job_id, positioned).order_by(runs.c.id.desc()).limit(limit)
    if is_sqlite(connection):  # has no LATERAL, but evaluates such a subquery once for each job
        candidate = runs.alias("candidate")
        source = ids.join(candidate, candidate.c.id.in_(newest.correlate(ids)))
        found: ColumnElement[int] = candidate.c.id
    else:
        each = lateral(newest.correlate(ids), "newest")
        source = ids.join(each, true())
        found = each.c.id
    return select(found).select_from(source).order_by(found.desc()).limit(limit)


def order_of(*, by_instant: bool) -> list[ColumnElement[Any]]:
    """Return the order of a list, newest first."""
    return [runs.c.scheduled_for.desc(), runs.c.id.desc()] if by_instant else [runs.c.id.desc()]
