"""The table of job versions, and its queries.

Each change of a job adds a version with the definition that resulted, in the transaction of the change. A job that was
stored before versions were kept gets a version for its old definition when it first changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import JobVersion
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, Json, UtcInstant

MAX_VERSIONS = 1000
"""Versions of one job that are kept."""

job_versions = Table(
    "job_versions",
    metadata,
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcInstant, nullable=False),
    # When the next version replaced it. NULL: it is the current one.
    Column("replaced_at", UtcInstant),
    # Who made it, as in the audit trail. NULL: unknown.
    Column("key_id", Text),
    Column("caller_owner_id", Text),
    Column("operation", Text),
    # The names of the fields that differ from the version before.
    Column("changed", Json, nullable=False),
    Column("definition", Json, nullable=False),
    Index("ix_job_versions_replaced", "replaced_at"),
)

_COLUMNS = [job_versions.c[field.name] for field in fields(JobVersion)]
_LARGEST_VERSION = 2**31 - 1
# Built once, as in `transitions`.
_add = insert(job_versions)
_replace = (
    update(job_versions)
    .where(job_versions.c.job_id.in_(bindparam("of_jobs", expanding=True)), job_versions.c.replaced_at.is_(None))
    .values(replaced_at=bindparam("at", type_=UtcInstant()))
    .returning(job_versions.c.job_id)
)
_cut = delete(job_versions).where(
    job_versions.c.job_id == bindparam("of_job"), job_versions.c.version <= bindparam("up_to")
)


async def add(connection: AsyncConnection, *versions: JobVersion) -> None:
    """Store versions of jobs."""
    rows = [{field.name: getattr(version, field.name) for field in fields(version)} for version in versions]
    await connection.execute(_add, rows)


async def replace_current(connection: AsyncConnection, job_ids: Sequence[int], now: datetime) -> frozenset[int]:
    """Note that the current versions of jobs are replaced. Return the ids of those that have one."""
    if not job_ids:
        return frozenset()
    return frozenset((await connection.execute(_replace, {"of_jobs": job_ids, "at": now})).scalars())


async def cut(connection: AsyncConnection, job_id: int, newest: int) -> None:
    """Delete the versions of a job before the newest `MAX_VERSIONS`."""
    if newest > MAX_VERSIONS:
        await connection.execute(_cut, {"of_job": job_id, "up_to": newest - MAX_VERSIONS})


async def newest(
    connection: AsyncConnection, job_id: int, before: int | None, limit: int, *, has_definitions: bool = False
) -> Sequence[JobVersion]:
    """Return versions of a job, the newest first, from below the version `before`; by default without definitions."""
    columns = [column for column in _COLUMNS if has_definitions or column.name != "definition"]
    query = select(*columns).where(job_versions.c.job_id == job_id).order_by(job_versions.c.version.desc())
    if before is not None:
        query = query.where(job_versions.c.version < _comparable(before))
    rows = (await connection.execute(query.limit(limit))).mappings()
    return [JobVersion(**{"definition": {}, **row}) for row in rows]


async def find(connection: AsyncConnection, job_id: int, version: int) -> JobVersion | None:
    """Return a version of a job, or None if it is not kept."""
    query = select(*_COLUMNS).where(job_versions.c.job_id == job_id, job_versions.c.version == _comparable(version))
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else JobVersion(**row)


def _comparable(version: int) -> int:
    """Return a number that PostgreSQL can compare with the column, which is smaller than ids are."""
    return min(version, _LARGEST_VERSION)


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete versions that were replaced before an instant. Return their number."""
    key = tuple_(job_versions.c.job_id, job_versions.c.version)
    keys = select(job_versions.c.job_id, job_versions.c.version).where(job_versions.c.replaced_at < before)
    return (await connection.execute(delete(job_versions).where(key.in_(keys.limit(limit))))).rowcount
