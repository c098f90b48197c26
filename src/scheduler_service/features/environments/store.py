"""Environments in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.environment_lock import EnvironmentLock, EnvironmentState
from scheduler_service.features.environments.records import Environment
from scheduler_service.features.environments.tables import environments
from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.tables import jobs

LISTED = 500


async def keep(connection: AsyncConnection, lock: EnvironmentLock, now: datetime) -> None:
    """Store a lock that is to be built, or note that a stored one is used. One that has failed is built again."""
    row = {
        "id": lock.id,
        "state": EnvironmentState.BUILDING,
        "requirements": list(lock.requirements),
        "lock": lock.text,
        "log": "",
        "created_at": now,
        "used_at": now,
    }
    added = await connection.execute(insert_or_ignore(connection, environments).values(**row))
    if added.rowcount == 0:
        again = {"state": EnvironmentState.BUILDING, "lock": lock.text, "log": ""}
        has_failed = environments.c.state == EnvironmentState.FAILED
        await connection.execute(update(environments).where(_is(lock.id)).values(used_at=now))
        await connection.execute(update(environments).where(_is(lock.id), has_failed).values(**again))


async def find(connection: AsyncConnection, environment_id: str, owner_id: str | None = None) -> Environment | None:
    """Return an environment, or None. `owner_id` restricts the search to those of an owner's jobs."""
    query = select(environments).where(_is(environment_id), _is_used_by(owner_id))
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else Environment(**row)


async def list_all(connection: AsyncConnection, owner_id: str | None = None) -> list[Environment]:
    """Return the newest environments, those of an owner's jobs if `owner_id` is given. Their logs are left out."""
    columns = [column for column in environments.c if column.name != "log"]
    query = select(*columns).where(_is_used_by(owner_id)).order_by(environments.c.created_at.desc()).limit(LISTED)
    return [Environment(**row, log="") for row in (await connection.execute(query)).mappings()]


async def states(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, EnvironmentState]:
    """Return the states of environments by their ids."""
    query = select(environments.c.id, environments.c.state).where(environments.c.id.in_(sorted(set(ids))))
    return {row.id: row.state for row in await connection.execute(query)}


async def list_unbuilt(connection: AsyncConnection) -> list[str]:
    """Return the ids of environments that are to be built, the oldest first."""
    is_unbuilt = environments.c.state == EnvironmentState.BUILDING
    query = select(environments.c.id).where(is_unbuilt).order_by(environments.c.created_at)
    return list((await connection.execute(query)).scalars())


async def note(connection: AsyncConnection, environment_id: str, values: Mapping[str, Any]) -> None:
    """Store what a build has come to."""
    await connection.execute(update(environments).where(_is(environment_id)).values(**values))


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete environments that no job has and that were used before an instant, and return how many."""
    is_free = ~select(jobs.c.id).where(jobs.c.environment_id == environments.c.id).exists()
    keys = select(environments.c.id).where(environments.c.used_at < before, is_free).limit(limit)
    return (await connection.execute(delete(environments).where(environments.c.id.in_(keys)))).rowcount


def _is(environment_id: str) -> ColumnElement[bool]:
    return environments.c.id == environment_id


def _is_used_by(owner_id: str | None) -> ColumnElement[bool]:
    if owner_id is None:
        return true()
    is_theirs = (jobs.c.environment_id == environments.c.id) & (jobs.c.owner_id == owner_id)
    return select(jobs.c.id).where(is_theirs, jobs.c.deleted_at.is_(None)).exists()
