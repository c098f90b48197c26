"""The time that all machines share."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from scheduler_service.storage.database import Database


class Clock(Protocol):
    """Tells the time; tests bring their own."""

    def now(self) -> datetime:
        """Give the present instant, in UTC."""
        ...


class DatabaseClock:
    """The database's time, carried on by this machine's monotonic clock between two looks.

    So neither a wrong wall clock on one of the machines nor a jump of it moves what is due; what remains is half the
    round trip to the database. With SQLite, database and machine are one and every look is fresh.
    """

    def __init__(self, database: Database) -> None:
        """Start from this machine's wall clock until the first `sync`."""
        self._database = database
        self._base = datetime.now(UTC)
        self._base_monotonic = time.monotonic()

    async def sync(self) -> None:
        """Look at the database's clock; raises `UnavailableError` where it does not answer."""
        before = time.monotonic()
        self._base = await self._database.now()
        self._base_monotonic = (before + time.monotonic()) / 2

    def now(self) -> datetime:
        """Give the present instant, in UTC."""
        if self._database.is_sqlite:
            return datetime.now(UTC)
        return self._base + timedelta(seconds=time.monotonic() - self._base_monotonic)
