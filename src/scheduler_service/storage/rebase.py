"""Positions of events, after a database was restored into a server that has counted fewer transactions.

An event's position begins with the id of the transaction that wrote it (see `event_tables`). A dump carries the
positions of its server. In a server whose counter is behind, new events would lie before all that every observer has
seen, and counters and alerts would stand still. So an offset is added to the ids of the server at hand; it is raised as
soon as a position is found that this server cannot have given yet.
"""

from __future__ import annotations

import structlog
from sqlalchemy import ColumnElement, Select, func, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database
from scheduler_service.storage.event_tables import event_offset, events, observers

# Beyond all positions that the other server gave after the dump, which clients may come back with.
LEAP = 2**32
# PostgreSQL's manual, section 67.1: the ids in rows have 32 bits.
_CYCLE = 2**32

log = structlog.get_logger(__name__)
_OWN_ID: ColumnElement[int] = literal_column("pg_current_xact_id()::text::bigint")
_OLDEST_ID: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_NEXT_ID: ColumnElement[int] = literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


async def rebase(database: Database) -> bool:
    """Raise the offset if positions are of another server, in one transaction. Return whether they were.

    1. Look, without a lock: nearly always, there is nothing to do.
    2. Lock the events against writers, who then see the new offset, and look again: another process may be here, too.
    3. Move what this server has written since the restore behind what the other one wrote.
    4. Raise the offset.
    """
    if database.is_sqlite:
        return False
    async with database.read() as connection:
        if not await _are_of_another_server(connection):
            return False
    async with database.write() as connection:
        await connection.execute(text("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE"))
        if not await _are_of_another_server(connection):
            return False
        old = (await connection.execute(select(event_offset.c.transactions))).scalar_one()
        new = await _highest(connection) + LEAP
        moved = await connection.execute(
            update(events)
            .where(_is_written_here(old), events.c.id > _last_restored_id())
            .values(transaction_id=events.c.transaction_id - old + new)
        )
        await connection.execute(update(event_offset).values(transactions=new))
    log.warning("events_rebased", reason="the database was restored from another server", moved=moved.rowcount)
    return True


async def _are_of_another_server(connection: AsyncConnection) -> bool:
    """Return whether there is a position that this server has not reached."""
    query = select(_positions().scalar_subquery() >= _unreached())
    return bool((await connection.execute(query)).scalar_one())


async def _highest(connection: AsyncConnection) -> int:
    return (await connection.execute(_positions())).scalar_one()


def _positions() -> Select[int]:
    """Select the highest transaction id of all positions."""
    of_events = select(func.max(events.c.transaction_id)).scalar_subquery()
    of_observers = select(func.max(observers.c.transaction_id)).scalar_subquery()
    return select(func.greatest(of_events, of_observers, 0))


def _is_written_here(offset: int) -> ColumnElement[bool]:
    """Return whether a row was inserted by the transaction that its position names: restored rows were not."""
    inserted_by: ColumnElement[int] = literal_column("events.xmin::text::bigint")
    return inserted_by == (events.c.transaction_id - offset) % _CYCLE


def _last_restored_id() -> ColumnElement[int]:
    """Return an id that all events of this server exceed, as the sequence of ids goes on after a restore."""
    foreign = events.alias()
    of_events = select(func.max(foreign.c.id)).where(foreign.c.transaction_id >= _unreached())
    of_observers = select(func.max(observers.c.event_id)).where(observers.c.transaction_id >= _unreached())
    return func.greatest(of_events.scalar_subquery(), of_observers.scalar_subquery())


def _unreached() -> ColumnElement[int]:
    """Return the lowest transaction id of a position that this server has not given yet."""
    return _NEXT_ID + select(event_offset.c.transactions).scalar_subquery()


def written_position() -> ColumnElement[int]:
    """Return the transaction id of a position that is written now, on PostgreSQL."""
    return _OWN_ID + select(event_offset.c.transactions).scalar_subquery()


def settled_position() -> ColumnElement[int]:
    """Return the transaction id below which every position is settled, on PostgreSQL."""
    return _OLDEST_ID + select(event_offset.c.transactions).scalar_subquery()
