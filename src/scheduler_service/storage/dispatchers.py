"""The dispatchers table, which only monitoring reads."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.event_tables import dispatchers

_note_tick = update(dispatchers).where(dispatchers.c.id == bindparam("of_dispatcher"))

_last_ticked_at = select(func.max(dispatchers.c.ticked_at))


async def note_tick(connection: AsyncConnection, dispatcher_id: str, now: datetime) -> None:
    """Record the end of a tick."""
    noted = await connection.execute(_note_tick, {"of_dispatcher": dispatcher_id, "ticked_at": now})
    if noted.rowcount == 0:
        first = insert_or_ignore(connection, dispatchers).values(id=dispatcher_id, started_at=now, ticked_at=now)
        await connection.execute(first)


async def last_ticked_at(connection: AsyncConnection) -> datetime | None:
    """Return the instant of the latest tick of any dispatcher, or None if there is no record."""
    instant: datetime | None = (await connection.execute(_last_ticked_at)).scalar_one()
    return instant


async def prune(connection: AsyncConnection, before: datetime) -> int:
    """Delete dispatchers whose last tick was before an instant. Return their number."""
    return (await connection.execute(delete(dispatchers).where(dispatchers.c.ticked_at < before))).rowcount
