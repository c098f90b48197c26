"""Queries and changes of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import DueJob, Job
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.dialect import is_sqlite, json_array_within
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.external_keys import unique_key
from scheduler_service.storage.tables import WAITING, jobs, runs, with_status

_DUE_COLUMNS = [jobs.c[field.name] for field in fields(DueJob)]

# Built once, as in `transitions`.
_add = insert(jobs).returning(jobs, sort_by_parameter_order=True)
_due = (
    select(*_DUE_COLUMNS)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)), jobs.c.next_run_at.is_not(None))
    .order_by(jobs.c.next_run_at)
)
_lock = select(jobs.c.id).where(jobs.c.id == bindparam("of_job")).with_for_update(key_share=True)
_note_last_run = update(jobs).where(
    jobs.c.id == bindparam("of_job"), or_(jobs.c.last_run_at.is_(None), jobs.c.last_run_at <= bindparam("at"))
)


async def add(connection: AsyncConnection, *rows: Mapping[str, Any]) -> list[Job]:
    """Store new jobs, and return them in their order. Raise `InvalidInputError` if an external key is taken."""
    with unique_key(*rows):
        if is_sqlite(connection) and len(rows) > 1:
            return await _add_many_to_sqlite(connection, rows)
        stored = await connection.execute(_add, rows[0] if len(rows) == 1 else rows)
    return [Job(**row) for row in stored.mappings()]


async def _add_many_to_sqlite(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> list[Job]:
    """Store jobs by one call of the driver. With RETURNING, it takes one for each row.

    New ids are greater than all others and in the order of the rows, because nobody else writes.
    """
    newest = await connection.scalar(select(func.coalesce(func.max(jobs.c.id), 0)))
    await connection.execute(insert(jobs), rows)
    stored = await connection.execute(select(jobs).where(jobs.c.id > newest).order_by(jobs.c.id))
    return [Job(**row) for row in stored.mappings()]


async def find_all(
    connection: AsyncConnection, job_ids: Sequence[int], *, owner_id: str | None = None, lock: bool = False
) -> dict[int, Job]:
    """Return jobs that are not deleted by their ids. `owner_id` and `lock` are as for `find`."""
    query = select(jobs).where(jobs.c.id.in_(job_ids), jobs.c.deleted_at.is_(None), _is_owned_by(owner_id))
    # In the order of ids, so that two transactions cannot wait for each other.
    query = query.order_by(jobs.c.id).with_for_update() if lock else query
    return {row["id"]: Job(**row) for row in (await connection.execute(query)).mappings()}


async def change(connection: AsyncConnection, changes: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Store columns of jobs that this transaction has locked, by their ids. Raise as `change` does."""
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for job_id, values in changes:
        row = {f"to_{name}": value for name, value in values.items()}
        by_columns.setdefault(tuple(sorted(values)), []).append({**row, "of_job": job_id})
    with unique_key(*(values for _, values in changes)):
        for names, rows in by_columns.items():
            statement = update(jobs).where(jobs.c.id == bindparam("of_job"))
            await connection.execute(statement.values({name: bindparam(f"to_{name}") for name in names}), rows)


async def find(
    connection: AsyncConnection, job_id: int, *, owner_id: str | None = None, lock: bool = False
) -> Job | None:
    """Return a job that is not deleted, or None. `owner_id` restricts the search to one owner.

    `lock` prevents changes by the dispatcher and other writers until the commit.
    """
    query = _find(has_owner=owner_id is not None, lock=lock)
    found = await connection.execute(query, {"of_job": job_id, "of_owner": owner_id})
    row = found.mappings().one_or_none()
    return None if row is None else Job(**row)


async def has_history(connection: AsyncConnection, job_id: int, *, owner_id: str | None = None) -> bool:
    """Return whether a job exists, or was deleted and still has history. `owner_id` restricts the search."""
    query = select(jobs.c.id).where(jobs.c.id == job_id, _is_owned_by(owner_id))
    return (await connection.execute(query)).one_or_none() is not None


async def find_due(connection: AsyncConnection, job_ids: Sequence[int]) -> list[DueJob]:
    """Return the jobs of these ids that have a next instant, which this transaction has locked. Longest due first."""
    if not job_ids:
        return []
    return [DueJob(*row) for row in await connection.execute(_due, {"ids": job_ids})]


async def lock(connection: AnyConnection, job_id: int) -> None:
    """Prevent changes of a job until the commit.

    Callers that change one of the job's runs lock the job first, because cancelling all runs does so too. Taking these
    locks in opposite orders would cause a deadlock. SQLite has a single writer and needs no lock.
    """
    if not is_sqlite(connection):
        await connection.execute(_lock, {"of_job": job_id})


async def note_last_run(
    connection: AnyConnection, job_id: int, at: datetime, status: RunStatus, *, result: Any = None
) -> None:
    """Store the outcome of the job's latest run, and its result unless that is None.

    An older run that ends later does not overwrite them.
    """
    values = {"last_run_at": at, "last_run_status": status} | ({} if result is None else {"last_result": result})
    await connection.execute(_note_last_run, {"of_job": job_id, "at": at, **values})


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete jobs that are marked as deleted and have no history left. Return their number."""
    without_runs = ~select(runs.c.id).where(runs.c.job_id == jobs.c.id).exists()
    keys = select(jobs.c.id).where(jobs.c.deleted_at < before, without_runs).limit(limit)
    return (await connection.execute(delete(jobs).where(jobs.c.id.in_(keys)))).rowcount


def as_due(job: Job) -> DueJob:
    """Return the part of a job that the ledger needs."""
    return DueJob(**{field.name: getattr(job, field.name) for field in fields(DueJob)})


@cache
def _find(*, has_owner: bool, lock: bool) -> Select[Any]:
    query = select(jobs).where(jobs.c.id == bindparam("of_job"), jobs.c.deleted_at.is_(None))
    if has_owner:
        query = query.where(jobs.c.owner_id == bindparam("of_owner"))
    return query.with_for_update() if lock else query


def _is_owned_by(owner_id: str | None) -> ColumnElement[bool]:
    return true() if owner_id is None else jobs.c.owner_id == owner_id


async def owner_of(connection: AsyncConnection, job_id: int) -> str | None:
    """Return the owner of a job, also of a deleted one, or None if there is no such job."""
    owner_id: str | None = await connection.scalar(select(jobs.c.owner_id).where(jobs.c.id == job_id))
    return owner_id


async def waiting_with_grants(
    connection: AsyncConnection, after_id: int, limit: int
) -> list[tuple[int, str, list[str]]]:
    """Return the id, owner and grants of jobs that have waiting runs and ask for grants, in the order of their ids.

    The first has an id greater than `after_id`.
    """
    has_grants = not_(json_array_within(jobs.c.grants, literal("[]", Text())))
    waiting = select(runs.c.job_id).where(with_status(*WAITING)).distinct()
    query = (
        select(jobs.c.id, jobs.c.owner_id, jobs.c.grants)
        .where(jobs.c.id.in_(waiting), jobs.c.id > after_id, has_grants)
        .order_by(jobs.c.id)
        .limit(limit)
    )
    return [(row.id, row.owner_id, row.grants) for row in await connection.execute(query)]
