"""Events and totals as readers find them."""

from __future__ import annotations

from sqlalchemy import func, select
from testkit.waiting import eventually

from scheduler_service.domain.events import Event, Position
from scheduler_service.storage import events, totals
from scheduler_service.storage.database import Database
from scheduler_service.storage.event_tables import events as event_table

START = Position(0, 0)


async def settle(database: Database) -> None:
    """Wait for older transactions of other tests on the same server, because they hold events back."""

    async def is_settled() -> bool:
        async with database.read() as connection:
            newest = (await connection.execute(select(func.max(event_table.c.id)))).scalar_one()
            return newest is None or (await events.newest(connection)).event_id >= newest

    await eventually(is_settled)


async def read(database: Database, position: Position = START, owner_id: str | None = None) -> list[Event]:
    await settle(database)
    return await read_now(database, position, owner_id)


async def read_now(database: Database, position: Position = START, owner_id: str | None = None) -> list[Event]:
    async with database.read() as connection:
        return await events.after(connection, position, 1000, owner_id=owner_id)


async def counts(database: Database) -> dict[tuple[str, str], int]:
    async with database.snapshot() as snapshot:
        found = await totals.read(snapshot)
    summed: dict[tuple[str, str], int] = {}
    for total in found:
        key = (total.change, total.payload_type)
        summed[key] = summed.get(key, 0) + total.count
    return summed


async def fold(database: Database) -> bool:
    async with database.write() as connection:
        return await totals.fold(connection)
