"""Waits for another connection of PostgreSQL to wait for a lock."""

from __future__ import annotations

from sqlalchemy import text

from scheduler_service.storage.database import Database
from testkit.waiting import eventually

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def wait_for_lock_waiter(database: Database) -> None:
    """Wait until another connection waits for a lock."""

    async def look() -> bool:
        async with database.read() as connection:
            return bool((await connection.execute(text(_WAITING))).scalar_one())

    await eventually(look)
