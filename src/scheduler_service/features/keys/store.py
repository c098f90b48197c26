"""Queries and changes of API keys."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.keys.records import ApiKey
from scheduler_service.features.keys.tables import api_keys, key_pepper
from scheduler_service.storage.dialect import insert_or_ignore

_PEPPER_BYTES = 32
_THE_ROW = 1


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> ApiKey:
    """Store a key."""
    row = (await connection.execute(insert(api_keys).values(**values).returning(api_keys))).mappings().one()
    return ApiKey(**row)


async def find(connection: AsyncConnection, public_id: str, *, is_locked: bool = False) -> ApiKey | None:
    """Return the key with a public id, revoked and expired ones included. `is_locked`: until the transaction ends."""
    query = select(api_keys).where(api_keys.c.public_id == public_id)
    query = query.with_for_update() if is_locked else query
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else ApiKey(**row)


async def list_keys(connection: AsyncConnection) -> list[ApiKey]:
    """Return all keys, the oldest first."""
    query = select(api_keys).order_by(api_keys.c.id)
    return [ApiKey(**row) for row in (await connection.execute(query)).mappings()]


async def revoke(connection: AsyncConnection, public_id: str, now: datetime) -> bool:
    """Revoke a key. Return False if there is none that is not revoked already."""
    guard = and_(api_keys.c.public_id == public_id, api_keys.c.revoked_at.is_(None))
    return (await connection.execute(update(api_keys).where(guard).values(revoked_at=now))).rowcount == 1


async def expire_at(connection: AsyncConnection, public_id: str, at: datetime) -> None:
    """Set the expiry of a key to an instant, unless it is earlier already."""
    guard = and_(api_keys.c.public_id == public_id, or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > at))
    await connection.execute(update(api_keys).where(guard).values(expires_at=at))


async def note_use(connection: AsyncConnection, public_id: str, now: datetime) -> None:
    """Store when a key was last used."""
    await connection.execute(update(api_keys).where(api_keys.c.public_id == public_id).values(last_used_at=now))


async def pepper(connection: AsyncConnection) -> bytes:
    """Return the installation's key for hashes, which is created at the first call."""
    row = {"id": _THE_ROW, "pepper": secrets.token_bytes(_PEPPER_BYTES)}
    await connection.execute(insert_or_ignore(connection, key_pepper).values(**row))
    stored: bytes = (await connection.execute(select(key_pepper.c.pepper))).scalar_one()
    return bytes(stored)
