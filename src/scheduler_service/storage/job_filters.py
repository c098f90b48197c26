"""The conditions of lists of jobs.

Theory of operation. A list reads its order and checks each row against the filters. That is fast if many rows match.
If few do, the filter's own index must lead. The planner cannot know this for values that it has no statistics of, so
each filter is asked for its first MAX_RARE + 1 matches. A filter with fewer matches becomes a list of ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    collate,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.listing import JobFilter
from scheduler_service.storage.dialect import is_sqlite, lowered
from scheduler_service.storage.list_tables import job_lookup, job_texts
from scheduler_service.storage.tables import jobs

MAX_RARE = 2_000
_MIN_TRIGRAM_CHARACTERS = 3
_NOT_DELETED = " AND deleted_at IS NULL"
_EXISTS = jobs.c.deleted_at.is_(None)


@dataclass(frozen=True, slots=True)
class Search:
    """Where and how the searched text is found."""

    source: FromClause
    job_id: ColumnElement[int]
    condition: ColumnElement[bool]


def matches(connection: AsyncConnection, filters: JobFilter, owner_id: str | None) -> ColumnElement[bool]:
    """Return the condition that a job matches all filters but the tag and the searched text."""
    conditions: list[ColumnElement[bool]] = [_EXISTS, *_indexed(connection, filters)]
    if owner_id is not None:
        conditions.append(jobs.c.owner_id == owner_id)
    if filters.owner_id is not None:
        conditions.append(jobs.c.owner_id == filters.owner_id)
    if filters.external_key is not None:
        conditions.append(jobs.c.external_key == filters.external_key)
    conditions += _due_without_index(filters)
    return and_(*conditions)


async def rare_ids(
    connection: AsyncConnection, filters: JobFilter, job_id: ColumnElement[int]
) -> list[ColumnElement[bool]]:
    """Return a condition on `job_id` for each filter that at most MAX_RARE jobs match."""
    found: list[ColumnElement[bool]] = []
    for index, (words, *values) in _probes(connection, filters).items():
        # SQLite has averages only, and would read all jobs for a rare value of a column with few values.
        table = f"jobs INDEXED BY {index}" if is_sqlite(connection) else "jobs"
        some = f"SELECT jobs.id FROM {table} WHERE {words} LIMIT {MAX_RARE + 1}"  # noqa: S608 (words of ours)
        probe = text(some).bindparams(*values).columns(jobs.c.id)
        count = (await connection.execute(select(func.count()).select_from(probe.subquery()))).scalar_one()
        if count <= MAX_RARE:
            # The limit keeps the planners from merging both queries.
            found.append(job_id.in_(select(probe.subquery().c.id)))
    return found


async def is_among(
    connection: AsyncConnection, job_id: ColumnElement[int], ids: Select[int]
) -> tuple[ColumnElement[bool], bool]:
    """Return the condition that a job is among some, and whether these are at most MAX_RARE.

    The ids of few jobs are collected. Among many, each job of the list is looked up.
    """
    first = ids.limit(MAX_RARE + 1).subquery()
    count = (await connection.execute(select(func.count()).select_from(first))).scalar_one()
    if count <= MAX_RARE:
        return job_id.in_(ids), True
    return ids.where(ids.selected_columns[0] == job_id).exists(), False


def _probes(connection: AsyncConnection, filters: JobFilter) -> dict[str, tuple[str, *tuple[BindParameter[Any], ...]]]:
    """Return the conditions that have an index of their own with their values, by its name."""
    probes: dict[str, tuple[str, *tuple[BindParameter[Any], ...]]] = {}
    if filters.status is not None:
        probes["ix_jobs_status"] = (
            f"status = :status{_NOT_DELETED}",
            bindparam("status", filters.status, jobs.c.status.type),
        )
    if filters.last_status is not None:
        bind = bindparam("last_status", filters.last_status, jobs.c.last_run_status.type)
        probes["ix_jobs_last_status"] = f"last_run_status = :last_status{_NOT_DELETED}", bind
    if filters.payload_type is not None:
        bind = bindparam("payload_type", filters.payload_type, Text())
        probes["ix_jobs_payload_type"] = f"{_payload_type(connection)} = :payload_type{_NOT_DELETED}", bind
    if filters.is_by_instant:
        limits = {"due_since": (">=", filters.due_since), "due_before": ("<", filters.due_before)}
        given = {name: limit for name, limit in limits.items() if limit[1] is not None}
        words = "".join(f" AND next_run_at {sign} :{name}" for name, (sign, _) in given.items())
        binds = [bindparam(name, value, jobs.c.next_run_at.type) for name, (_, value) in given.items()]
        probes["ix_jobs_due"] = f"next_run_at IS NOT NULL{words} ORDER BY next_run_at", *binds
    return probes


def _indexed(connection: AsyncConnection, filters: JobFilter) -> list[ColumnElement[bool]]:
    """Return the conditions whose index is in the order of ids."""
    conditions: list[ColumnElement[bool]] = []
    if filters.status is not None:
        conditions.append(jobs.c.status == filters.status)
    if filters.last_status is not None:
        conditions.append(jobs.c.last_run_status == filters.last_status)
    if filters.payload_type is not None:
        conditions.append(_payload_type(connection) == filters.payload_type)
    return conditions


def _payload_type(connection: AsyncConnection) -> ColumnElement[Any]:
    """Return the expression of the index `ix_jobs_payload_type`, which must be the same text."""
    return literal_column(
        "json_extract(jobs.payload, '$.type')" if is_sqlite(connection) else "(jobs.payload ->> 'type')"
    )


def _due_without_index(filters: JobFilter) -> list[ColumnElement[bool]]:
    """Return the conditions in a form that no index supports, for a list that is not in the order of instants.

    Otherwise SQLite would sort all jobs that are due.
    """
    conditions: list[ColumnElement[bool]] = []
    if filters.due_before is not None:
        before = literal(filters.due_before, jobs.c.next_run_at.type)
        conditions.append(func.coalesce(jobs.c.next_run_at, before) < before)
    if filters.due_since is not None:
        since = literal(filters.due_since, jobs.c.next_run_at.type)
        conditions.append(and_(jobs.c.next_run_at.is_not(None), func.coalesce(jobs.c.next_run_at, since) >= since))
    return conditions


async def search(connection: AsyncConnection, wanted: str) -> Search:
    """Return the search for a text in the names and descriptions, ignoring case.

    The trigram indexes do not support texts of one or two characters; for these, all texts are read.
    """
    columns = (job_lookup.c.folded_name, job_lookup.c.folded_description)
    if not is_sqlite(connection):
        pattern = f"%{''.join(f'/{sign}' if sign in '%_/' else sign for sign in wanted)}%"
        # The index is of the default collation; with another one it would not be used.
        folded = collate(lowered(connection, literal(pattern)), "default")
        return Search(job_lookup, job_lookup.c.job_id, or_(*(column.like(folded, escape="/") for column in columns)))
    folded_text = wanted.lower()
    if len(folded_text) < _MIN_TRIGRAM_CHARACTERS or not await _has_texts(connection):
        return Search(
            job_lookup, job_lookup.c.job_id, or_(*(func.instr(column, folded_text) > 0 for column in columns))
        )
    phrase = '"' + folded_text.replace('"', '""') + '"'
    found = text("job_texts MATCH :phrase").bindparams(phrase=phrase)
    return Search(job_texts, job_texts.c.rowid, and_(found))


async def _has_texts(connection: AsyncConnection) -> bool:
    """Return whether this SQLite has the trigram index. A connection keeps the answer."""
    if "has_job_texts" not in connection.info:
        query = text("SELECT count(*) FROM sqlite_master WHERE name = 'job_texts'")
        connection.info["has_job_texts"] = bool((await connection.execute(query)).scalar_one())
    return bool(connection.info["has_job_texts"])
