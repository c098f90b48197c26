"""Queries of the jobs that files mean or select."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Job
from scheduler_service.features.apply.records import Identity, Selector
from scheduler_service.storage.list_tables import job_lookup, job_tags
from scheduler_service.storage.tables import jobs


async def find_meant(connection: AsyncConnection, identities: Iterable[Identity], owner_id: str | None) -> list[Job]:
    """Return the jobs that have one of the keys, or no key and one of the names. `owner_id` restricts the search."""
    owners, keys, names = set(), set(), set()
    for identity in identities:
        owners.add(identity.owner_id)
        keys.add(identity.key)
        names.add(identity.name)
    named = select(job_lookup.c.job_id).where(job_lookup.c.name.in_(names))
    has_key = jobs.c.external_key.in_(keys)
    has_name = and_(jobs.c.external_key.is_(None), jobs.c.id.in_(named))
    return await _read(connection, [jobs.c.owner_id.in_(owners), or_(has_key, has_name)], owner_id, None)


async def find_selected(
    connection: AsyncConnection, selector: Selector, owner_id: str | None, limit: int | None = None
) -> list[Job]:
    """Return the jobs that a selector matches, in the order of their ids. `owner_id` restricts the search."""
    conditions: list[ColumnElement[bool]] = []
    if selector.tag is not None:
        conditions.append(jobs.c.id.in_(select(job_tags.c.job_id).where(job_tags.c.tag == selector.tag)))
    if selector.owner_id is not None:
        conditions.append(jobs.c.owner_id == selector.owner_id)
    return await _read(connection, conditions, owner_id, limit)


async def keys_of(connection: AsyncConnection, job_ids: Iterable[int]) -> dict[int, str]:
    """Return the external keys of those of these jobs that have one."""
    wanted = list(job_ids)
    query = select(jobs.c.id, jobs.c.external_key).where(jobs.c.id.in_(wanted), jobs.c.external_key.is_not(None))
    return dict((await connection.execute(query)).all()) if wanted else {}


async def _read(
    connection: AsyncConnection, conditions: list[ColumnElement[bool]], owner_id: str | None, limit: int | None
) -> list[Job]:
    query = select(jobs).where(jobs.c.deleted_at.is_(None), *conditions).order_by(jobs.c.id).limit(limit)
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    return [Job(**row) for row in (await connection.execute(query)).mappings()]
