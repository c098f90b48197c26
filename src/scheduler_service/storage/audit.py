"""The table of the audit trail, and its queries.

The trail is in the core, because every operation that changes something writes its entry in its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, String, Table, Text, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.audit import AuditEntry, AuditFilter
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, Json, UtcInstant

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("at", UtcInstant, nullable=False),
    # Who: the public id of the key, its owner, and the address of the client. NULL: unknown.
    Column("key_id", Text),
    Column("caller_owner_id", Text),
    Column("address", Text),
    # What: the operation of the API, and the object, such as jobs/7.
    Column("operation", Text, nullable=False),
    Column("object", Text),
    Column("owner_id", Text),
    Column("outcome", String(16), nullable=False),
    # By field: the value before and after, with secrets masked.
    Column("changes", Json),
    Column("correlation_id", Text, nullable=False),
    Index("ix_audit_entries_at", "at"),
    Index("ix_audit_entries_object", "object", "id"),
)


_add = insert(audit_entries)  # built once, as in `transitions`


async def add(connection: AsyncConnection, *entries: Mapping[str, Any]) -> None:
    """Store entries."""
    await connection.execute(_add, entries)


async def page(connection: AsyncConnection, filters: AuditFilter, size: int) -> list[AuditEntry]:
    """Return up to `size` entries, the newest first."""
    query = select(audit_entries).order_by(audit_entries.c.id.desc()).limit(size)
    for name in ("key_id", "owner_id", "operation", "object", "outcome"):
        if (value := getattr(filters, name)) is not None:
            query = query.where(audit_entries.c[name] == value)
    if filters.since is not None:
        query = query.where(audit_entries.c.at >= filters.since)
    if filters.until is not None:
        query = query.where(audit_entries.c.at < filters.until)
    if filters.before is not None:
        query = query.where(audit_entries.c.id < filters.before)
    names = [field.name for field in fields(AuditEntry)]
    return [AuditEntry(**{name: row[name] for name in names}) for row in (await connection.execute(query)).mappings()]


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete up to `limit` entries that are older than an instant, and return how many."""
    old = select(audit_entries.c.id).where(audit_entries.c.at < before).order_by(audit_entries.c.at).limit(limit)
    return (await connection.execute(delete(audit_entries).where(audit_entries.c.id.in_(old)))).rowcount
