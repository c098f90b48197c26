"""Queries and changes of secrets."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.secrets.keyring import Sealed
from scheduler_service.features.secrets.records import Secret
from scheduler_service.features.secrets.tables import secrets
from scheduler_service.storage.dialect import insert_or_ignore


async def put(connection: AsyncConnection, owner_id: str, name: str, sealed: Sealed, now: datetime) -> bool:
    """Store a value. Return whether the secret is new."""
    values = {"key_id": sealed.key_id, "sealed": sealed.data, "updated_at": now}
    row = {**values, "owner_id": owner_id, "name": name, "created_at": now}
    while True:  # another request can delete the secret between the two statements
        created = await connection.execute(insert_or_ignore(connection, secrets).values(**row))
        if created.rowcount == 1:
            return True
        changed = await connection.execute(update(secrets).where(_is(owner_id, name)).values(**values))
        if changed.rowcount == 1:
            return False


async def find(connection: AsyncConnection, owner_id: str, name: str) -> Secret | None:
    """Return a secret of an owner, or None."""
    row = (await connection.execute(select(secrets).where(_is(owner_id, name)))).mappings().one_or_none()
    return None if row is None else Secret(**row)


async def list_secrets(
    connection: AsyncConnection, owner_id: str | None, names: Collection[str] | None = None
) -> list[Secret]:
    """Return the secrets of an owner, or of every owner if it is None, in the order of their names.

    `names` restricts them.
    """
    query = select(secrets).order_by(secrets.c.owner_id, secrets.c.name)
    if owner_id is not None:
        query = query.where(secrets.c.owner_id == owner_id)
    if names is not None:
        query = query.where(secrets.c.name.in_(names))
    return [Secret(**row) for row in (await connection.execute(query)).mappings()]


async def names_of(connection: AsyncConnection, owner_id: str) -> frozenset[str]:
    """Return the names of the secrets of an owner."""
    return frozenset(await connection.scalars(select(secrets.c.name).where(secrets.c.owner_id == owner_id)))


async def remove(connection: AsyncConnection, owner_id: str, name: str) -> bool:
    """Delete a secret. Return False if there is none."""
    return (await connection.execute(delete(secrets).where(_is(owner_id, name)))).rowcount == 1


async def reseal(connection: AsyncConnection, secret: Secret, sealed: Sealed) -> bool:
    """Store the same value under another key. Return False if the secret has changed meanwhile."""
    guard = and_(secrets.c.id == secret.id, secrets.c.sealed == secret.sealed)
    values = {"key_id": sealed.key_id, "sealed": sealed.data}
    return (await connection.execute(update(secrets).where(guard).values(**values))).rowcount == 1


async def note_use(connection: AsyncConnection, ids: Collection[int], now: datetime) -> None:
    """Store when secrets were last used."""
    await connection.execute(update(secrets).where(secrets.c.id.in_(ids)).values(last_used_at=now))


def _is(owner_id: str, name: str) -> ColumnElement[bool]:
    return and_(secrets.c.owner_id == owner_id, secrets.c.name == name)
