"""Keeps event positions increasing after a restore into a server with a lower transaction counter.

Theory of operation. A position starts with the id of the transaction that wrote it (see `event_tables`). A dump
contains positions of the old server. If the new server's counter is lower, new events would come before every
observer's cursor, and metrics and alerts would stop. An offset is therefore added to the new server's ids. It is raised
when a position is found that this server cannot have assigned yet.
"""

from __future__ import annotations

import structlog
from sqlalchemy import ColumnElement, Select, func, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database
from scheduler_service.storage.event_tables import event_offset, events, observers

# Larger than the number of positions that the old server assigned after the dump. Clients may return with those.
LEAP = 2**32
# PostgreSQL manual, section 67.1: row headers store 32 bits of the id.
_CYCLE = 2**32

log = structlog.get_logger(__name__)
_OWN_ID: ColumnElement[int] = literal_column("pg_current_xact_id()::text::bigint")
_OLDEST_ID: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_NEXT_ID: ColumnElement[int] = literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


async def rebase(database: Database) -> bool:
    """Raise the offset if positions belong to another server, in one transaction. Return whether they did.

    1. Check without a lock; nearly always there is nothing to do.
    2. Lock the events against writers, who then use the new offset. Check again, because another process may be first.
    3. Move events written since the restore after those of the old server.
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
    """Return whether a position exists that this server has not reached."""
    query = select(_positions().scalar_subquery() >= _unreached())
    return bool((await connection.execute(query)).scalar_one())


async def _highest(connection: AsyncConnection) -> int:
    return (await connection.execute(_positions())).scalar_one()


def _positions() -> Select[int]:
    """Return a query for the highest transaction id of all positions."""
    of_events = select(func.max(events.c.transaction_id)).scalar_subquery()
    of_observers = select(func.max(observers.c.transaction_id)).scalar_subquery()
    return select(func.greatest(of_events, of_observers, 0))


def _is_written_here(offset: int) -> ColumnElement[bool]:
    """Return the condition that the transaction in a row's position inserted it, which is false after a restore."""
    inserted_by: ColumnElement[int] = literal_column("events.xmin::text::bigint")
    return inserted_by == (events.c.transaction_id - offset) % _CYCLE


def _last_restored_id() -> ColumnElement[int]:
    """Return an id below all event ids of this server. A restore continues the id sequence."""
    foreign = events.alias()
    of_events = select(func.max(foreign.c.id)).where(foreign.c.transaction_id >= _unreached())
    of_observers = select(func.max(observers.c.event_id)).where(observers.c.transaction_id >= _unreached())
    return func.greatest(of_events.scalar_subquery(), of_observers.scalar_subquery())


def _unreached() -> ColumnElement[int]:
    """Return the lowest transaction id in a position that this server has not assigned yet."""
    return _NEXT_ID + select(event_offset.c.transactions).scalar_subquery()


def written_position() -> ColumnElement[int]:
    """Return the transaction id of a position written now, on PostgreSQL."""
    return _OWN_ID + select(event_offset.c.transactions).scalar_subquery()


def settled_position() -> ColumnElement[int]:
    """Return the transaction id below which every position is settled, on PostgreSQL."""
    return _OLDEST_ID + select(event_offset.c.transactions).scalar_subquery()
