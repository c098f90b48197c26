"""Stores the quotas that owners are given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.quotas import NAMES
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.quota_tables import owner_quotas


async def find(connection: AsyncConnection, owner_id: str) -> dict[str, int | None] | None:
    """Return the quotas that an owner was given, or None."""
    query = select(*(owner_quotas.c[name] for name in NAMES)).where(owner_quotas.c.owner_id == owner_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else dict(row)


async def owners(connection: AsyncConnection) -> list[str]:
    """Return the owners that were given quotas, sorted."""
    query = select(owner_quotas.c.owner_id).order_by(owner_quotas.c.owner_id)
    return list((await connection.execute(query)).scalars())


async def put(connection: AsyncConnection, owner_id: str, own: Mapping[str, int | None], now: datetime) -> None:
    """Replace the quotas of an owner."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    values = {**own, "updated_at": now}
    insert: Any = dialect.insert(owner_quotas).values(owner_id=owner_id, **values)
    await connection.execute(insert.on_conflict_do_update(index_elements=["owner_id"], set_=values))


async def remove(connection: AsyncConnection, owner_id: str) -> bool:
    """Remove the quotas of an owner. Return False if there were none."""
    return bool((await connection.execute(delete(owner_quotas).where(owner_quotas.c.owner_id == owner_id))).rowcount)
