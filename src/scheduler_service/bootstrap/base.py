"""The parts that every role needs: the database, the shared clock, and the loops that maintain them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from scheduler_service.config.open_files import raise_open_files
from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.engine.loop import start_loop
from scheduler_service.storage import hour_totals, migrations
from scheduler_service.storage.clock import DatabaseClock
from scheduler_service.storage.database import Database
from scheduler_service.storage.opening import open_database
from scheduler_service.storage.rebase import rebase
from scheduler_service.telemetry import tracing

CLOCK_SYNC_SECONDS = 60.0
ALIVE_SECONDS = 5.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_base(settings: Settings) -> AsyncIterator[Base]:
    """Open the database, apply pending migrations, and start the clock."""
    raise_open_files()
    async with AsyncExitStack() as stack:
        stack.enter_context(tracing.exported())
        database = await stack.enter_async_context(open_database(settings))
        await migrations.upgrade(database)
        await rebase(database)
        await _count_hours(database)
        clock = DatabaseClock(database)
        await clock.sync()
        base = Base(stack, settings, database, clock)
        if (path := settings.alive_file) is not None:
            start_loop(stack, "alive_file", lambda: _touch_alive_file(path))
        if not database.is_sqlite:
            start_loop(stack, "clock", lambda: _sync(clock))
        yield base


async def _count_hours(database: Database) -> None:
    """Count the runs of each hour if this has never been done: runs of an earlier version of the service."""
    async with database.read() as connection:
        is_new = await hour_totals.is_uncounted(connection)
    if is_new:
        log.info("hours_recounted")
        async with database.write() as connection:
            await hour_totals.recount(connection)


async def _sync(clock: DatabaseClock) -> float:
    await clock.sync()
    return CLOCK_SYNC_SECONDS


async def _touch_alive_file(path: Path) -> float:
    """Touch the file that proves to a probe that the event loop runs, even if the database is unavailable."""
    try:
        await asyncio.to_thread(path.touch)
    except OSError as error:  # the probe notices the missing update
        log.warning("alive_file_write_failed", error=str(error))
    return ALIVE_SECONDS
