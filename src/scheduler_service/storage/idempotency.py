"""Requests that carry an `Idempotency-Key` are done once, however often they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's key; `scope` keeps those of different calls apart, `fingerprint` is of the request's content."""

    scope: str
    key: str
    fingerprint: str


async def find(connection: AsyncConnection, key: IdempotencyKey) -> tuple[str, int] | None:
    """Return the fingerprint and the resource that an earlier request with this key led to."""
    table = idempotency_keys.c
    query = select(table.fingerprint, table.resource_id).where(table.scope == key.scope, table.key == key.key)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.fingerprint, row.resource_id)


async def add(connection: AsyncConnection, key: IdempotencyKey, resource_id: int, now: datetime) -> None:
    """Keep what a request led to; raises `IntegrityError` where a twin of the request was first."""
    values = {"scope": key.scope, "key": key.key, "fingerprint": key.fingerprint, "resource_id": resource_id}
    await connection.execute(insert(idempotency_keys).values(**values, created_at=now))


async def prune(connection: AsyncConnection, before: datetime) -> int:
    """Forget the keys that are older than an instant; returns how many."""
    old = idempotency_keys.c.created_at < before
    return (await connection.execute(delete(idempotency_keys).where(old))).rowcount
