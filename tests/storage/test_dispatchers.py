"""Ticks that dispatchers note in the database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from testkit.databases import NOON

from scheduler_service.storage import dispatchers
from scheduler_service.storage.database import Database


async def test_concurrent_first_ticks_of_a_dispatcher_make_one_row(database: Database) -> None:
    """When a process starts, both the start and its loop note a tick."""

    async def note(seconds: int) -> None:
        async with database.write() as connection:
            await dispatchers.note_tick(connection, "d", NOON + timedelta(seconds=seconds))

    await asyncio.gather(*(note(seconds) for seconds in range(8)))
    await note(9)

    async with database.read() as connection:
        assert await dispatchers.last_ticked_at(connection) == NOON + timedelta(seconds=9)
