"""Reads and writes the event stream, in commit order.

Theory of operation. A position is (transaction id, event id). `is_settled` hides events of transactions that are newer
than the oldest open one. Whatever a reader has not seen therefore comes later in the stream, and a cursor never skips
an event. An observer keeps its cursor in the database. It locks the cursor's row for a batch, so several processes can
run the same observer.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    ScalarSelect,
    Tuple,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import Event, Position
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.event_tables import events, observers
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.rebase import settled_position, written_position
from scheduler_service.storage.tables import jobs, runs

FENCED = "fenced"
FAULTED = "faulted"
TOTALS, HOURS = "totals", "hours"


async def after(
    connection: AsyncConnection, position: Position, limit: int, *, owner_id: str | None = None
) -> list[Event]:
    """Return up to `limit` events after a position, in order. `owner_id` None means all owners.

    An event that is not visible yet will come after the returned ones.
    """
    query = (
        select(events, jobs.c.name.label("job_name"), jobs.c.owner_id, runs.c.correlation_id)
        .join_from(events, jobs, jobs.c.id == events.c.job_id, isouter=True)
        .join(runs, runs.c.id == events.c.run_id, isouter=True)
        .where(is_after(connection, position), is_settled(connection))
        .order_by(*_order(connection))
        .limit(limit)
    )
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    found = []
    for row in (await connection.execute(query)).mappings():
        values = dict(row)
        found.append(Event(position=Position(values.pop("transaction_id"), values.pop("id")), **values))
    return found


async def newest(connection: AsyncConnection) -> Position:
    """Return the position of the last event before which no further event can appear."""
    query = (
        select(events.c.transaction_id, events.c.id)
        .where(is_settled(connection))
        .order_by(*(column.desc() for column in _order(connection)))
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return Position(0, 0) if row is None else Position(row.transaction_id, row.id)


def newest_change(*, of_sqlite: bool) -> ScalarSelect[int]:
    """Return a query for a number that is higher after each change of a job or run, 0 if there was none."""
    number = events.c.id if of_sqlite else events.c.transaction_id
    query = select(func.coalesce(func.max(number), 0))
    return (query if of_sqlite else query.where(number < settled_position())).scalar_subquery()


async def is_forgotten(connection: AsyncConnection, position: Position) -> bool:
    """Return whether events after a position may have been pruned: neither it nor an earlier event exists."""
    query = select(events.c.id).where(is_up_to(connection, position)).limit(1)
    return (await connection.execute(query)).one_or_none() is None


async def cursor(connection: AsyncConnection, name: str) -> Position:
    """Return the position up to which an observer has processed the events."""
    query = select(observers.c.transaction_id, observers.c.event_id).where(observers.c.name == name)
    row = (await connection.execute(query)).one()
    return Position(row.transaction_id, row.event_id)


async def is_behind(connection: AsyncConnection, *names: str) -> bool:
    """Return whether one of these observers has unprocessed events, without taking a lock."""
    position, id_only = tuple_(observers.c.transaction_id, observers.c.event_id), events.c.id > observers.c.event_id
    unread = id_only if is_sqlite(connection) else _position() > position
    query = select(exists().where(observers.c.name.in_(names), unread, is_settled(connection)))
    return bool((await connection.execute(query)).scalar_one())


async def lock_cursor(connection: AsyncConnection, name: str) -> Position | None:
    """Lock an observer's cursor until the commit and return it, or None if another process holds the lock."""
    query = select(observers).where(observers.c.name == name).with_for_update(skip_locked=True)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Position(row.transaction_id, row.event_id)


async def move_cursor(connection: AsyncConnection, name: str, position: Position) -> None:
    """Store the position up to which an observer has processed the events."""
    values = {"transaction_id": position.transaction_id, "event_id": position.event_id}
    await connection.execute(update(observers).where(observers.c.name == name).values(values))


async def note_fenced(connection: AsyncConnection, lease: Lease, job_id: int, now: datetime) -> None:
    """Record that a write of a stale attempt was refused."""
    await _note(connection, FENCED, lease, job_id, now)


async def note_faulted(connection: AsyncConnection, lease: Lease, job_id: int, now: datetime) -> None:
    """Record that the sandbox could not start an attempt."""
    await _note(connection, FAULTED, lease, job_id, now)


async def _note(connection: AsyncConnection, change: str, lease: Lease, job_id: int, now: datetime) -> None:
    transaction = literal(0) if is_sqlite(connection) else written_position()
    values = {"at": now, "subject": "run", "change": change, "job_id": job_id, "run_id": lease.run_id}
    await connection.execute(insert(events).values(**values, transaction_id=transaction, attempt=lease.attempt))


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete events before an instant, the oldest first. Return their number. Events not yet counted stay."""
    counted = (
        select(observers.c.transaction_id, observers.c.event_id)
        .where(observers.c.name.in_((TOTALS, HOURS)))
        .order_by(observers.c.transaction_id, observers.c.event_id)
        .limit(1)
    )
    oldest = select(events.c.id).order_by(events.c.transaction_id, events.c.id).limit(limit)
    old = and_(events.c.id.in_(oldest), events.c.at < before, _position() <= counted.scalar_subquery())
    return (await connection.execute(delete(events).where(old))).rowcount


def is_after(connection: AsyncConnection, position: Position) -> ColumnElement[bool]:
    """Return the condition that an event comes after a position."""
    if is_sqlite(connection):  # SQLite would use only the first column of the index
        return events.c.id > position.event_id
    return _position() > tuple_(literal(position.transaction_id), literal(position.event_id))


def is_up_to(connection: AsyncConnection, position: Position) -> ColumnElement[bool]:
    """Return the condition that an event is at or before a position."""
    return not_(is_after(connection, position))


def is_settled(connection: AsyncConnection) -> ColumnElement[bool]:
    """Return the condition that no event can appear before an event: all earlier transactions have ended."""
    if is_sqlite(connection):
        return literal(1) == literal(1)
    return events.c.transaction_id < settled_position()


def _order(connection: AsyncConnection) -> list[Column[int]]:
    return [events.c.id] if is_sqlite(connection) else [events.c.transaction_id, events.c.id]


def _position() -> Tuple:
    return tuple_(events.c.transaction_id, events.c.id)
