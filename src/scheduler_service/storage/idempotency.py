"""The table of idempotency keys of requests that have been executed, and its queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, UtcInstant

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    # Identifies the request's content. The same key with other content is an error of the client.
    Column("fingerprint", String(64), nullable=False),
    Column("resource_id", BigId, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    UniqueConstraint("scope", "key"),
    Index("ix_idempotency_keys_created", "created_at"),
)


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
