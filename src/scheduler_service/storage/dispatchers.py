"""The dispatchers as SQL sees them: nothing depends on them but the eyes of those who watch."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.event_tables import dispatchers

_note_tick = update(dispatchers).where(dispatchers.c.id == bindparam("of_dispatcher"))


async def note_tick(connection: AsyncConnection, dispatcher_id: str, now: datetime) -> None:
    """Note that a tick came to its end."""
    noted = await connection.execute(_note_tick, {"of_dispatcher": dispatcher_id, "ticked_at": now})
    if noted.rowcount == 0:
        first = insert_or_ignore(connection, dispatchers).values(id=dispatcher_id, started_at=now, ticked_at=now)
        await connection.execute(first)


async def last_ticked_at(connection: AsyncConnection) -> datetime | None:
    """Return when any dispatcher ticked last; None: none ever did, or not for long."""
    instant: datetime | None = (await connection.execute(select(func.max(dispatchers.c.ticked_at)))).scalar_one()
    return instant


async def prune(connection: AsyncConnection, before: datetime) -> int:
    """Forget those that last ticked before an instant; returns how many."""
    return (await connection.execute(delete(dispatchers).where(dispatchers.c.ticked_at < before))).rowcount
