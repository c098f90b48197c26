"""What dispatchers tell of themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from testkit.databases import NOON

from scheduler_service.storage import dispatchers
from scheduler_service.storage.database import Database


async def test_the_first_notes_of_a_dispatcher_may_come_at_the_same_time(database: Database) -> None:
    """At the start of a process its loop notes a tick, and so does the start itself."""

    async def note(seconds: int) -> None:
        async with database.write() as connection:
            await dispatchers.note_tick(connection, "d", NOON + timedelta(seconds=seconds))

    await asyncio.gather(*(note(seconds) for seconds in range(8)))
    await note(9)

    async with database.read() as connection:
        assert await dispatchers.last_ticked_at(connection) == NOON + timedelta(seconds=9)
