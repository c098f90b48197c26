"""The idempotency keys of requests that have been executed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key. `scope` separates different operations; `fingerprint` identifies the request's content."""

    scope: str
    key: str
    fingerprint: str


async def find(connection: AsyncConnection, key: IdempotencyKey) -> tuple[str, int] | None:
    """Return the fingerprint and the resource of the earlier request with this key, or None."""
    table = idempotency_keys.c
    query = select(table.fingerprint, table.resource_id).where(table.scope == key.scope, table.key == key.key)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.fingerprint, row.resource_id)


async def add(connection: AsyncConnection, key: IdempotencyKey, resource_id: int, now: datetime) -> None:
    """Store the resource that a request created.

    Raise `IntegrityError` if a concurrent request with this key was first.
    """
    values = {"scope": key.scope, "key": key.key, "fingerprint": key.fingerprint, "resource_id": resource_id}
    await connection.execute(insert(idempotency_keys).values(**values, created_at=now))


async def prune(connection: AsyncConnection, before: datetime) -> int:
    """Delete keys created before an instant. Return their number."""
    old = idempotency_keys.c.created_at < before
    return (await connection.execute(delete(idempotency_keys).where(old))).rowcount
