"""Queries and changes of calendars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.calendars.records import Calendar
from scheduler_service.storage.calendar_tables import calendars
from scheduler_service.storage.dialect import insert_or_ignore, json_array_has
from scheduler_service.storage.tables import jobs

_SHOWN_JOBS = 10


async def put(
    connection: AsyncConnection, owner_id: str, name: str, definition: Mapping[str, Any], now: datetime
) -> bool:
    """Store a calendar. Return whether it is new."""
    values = {"definition": definition, "updated_at": now}
    row = {**values, "owner_id": owner_id, "name": name, "created_at": now}
    while True:  # another request can delete the calendar between the two statements
        created = await connection.execute(insert_or_ignore(connection, calendars).values(**row))
        if created.rowcount == 1:
            return True
        changed = await connection.execute(update(calendars).where(_is(owner_id, name)).values(**values))
        if changed.rowcount == 1:
            return False


async def find(connection: AsyncConnection, owner_id: str, name: str) -> Calendar | None:
    """Return a calendar of an owner, or None."""
    row = (await connection.execute(select(calendars).where(_is(owner_id, name)))).mappings().one_or_none()
    return None if row is None else Calendar(**row)


async def list_calendars(connection: AsyncConnection, owner_id: str | None) -> list[Calendar]:
    """Return the calendars of an owner, or of every owner if it is None, in the order of their names."""
    query = select(calendars).order_by(calendars.c.owner_id, calendars.c.name)
    if owner_id is not None:
        query = query.where(calendars.c.owner_id == owner_id)
    return [Calendar(**row) for row in (await connection.execute(query)).mappings()]


async def remove(connection: AsyncConnection, owner_id: str, name: str) -> bool:
    """Delete a calendar. Return False if there is none."""
    return (await connection.execute(delete(calendars).where(_is(owner_id, name)))).rowcount == 1


async def jobs_with(connection: AsyncConnection, owner_id: str, name: str) -> list[int]:
    """Return the ids of some jobs that name a calendar."""
    names_it = or_(json_array_has(jobs.c.calendars, name), json_array_has(jobs.c.calendars, f"-{name}"))
    query = select(jobs.c.id).where(jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None), names_it)
    return list((await connection.execute(query.order_by(jobs.c.id).limit(_SHOWN_JOBS))).scalars())


def _is(owner_id: str, name: str) -> ColumnElement[bool]:
    return and_(calendars.c.owner_id == owner_id, calendars.c.name == name)
