"""The time that all machines share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from scheduler_service.storage.database import Database

# A look this quick is good enough; of a slow one's successors, this many get a chance to be better.
QUICK_SECONDS = 0.01
MORE_LOOKS = 4


class Clock(Protocol):
    """The current time, in agreement with the database; tests bring their own."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class _Look:
    """What the database's clock showed while this machine's monotonic clock went from `begun_at` to `ended_at`."""

    at: datetime
    begun_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.begun_at


class DatabaseClock:
    """The database's time, carried on by this machine's monotonic clock between two looks.

    So neither a wrong wall clock on one of the machines nor a jump of it moves what is due; what remains is half the
    round trip to the database. With SQLite, database and machine are one and every look is fresh.
    """

    def __init__(self, database: Database) -> None:
        """Start from this machine's wall clock until the first `sync`."""
        self._database = database
        self._base = datetime.now(UTC)
        self._base_monotonic = monotonic()

    async def sync(self) -> None:
        """Read the database's clock. Raise `UnavailableError` if it does not answer.

        A look is wrong by half its duration at most. So the time that it takes to get a connection is not part of it,
        and of some looks the quickest counts (as in NTP: RFC 5905, section 10): what holds up this process, or the
        database, must not move what is due.
        """
        if self._database.is_sqlite:
            return
        async with self._database.read() as connection:
            await _look(connection)  # the first takes more round trips: to begin, and to prepare
            best = await _look(connection)
            for _ in range(MORE_LOOKS):
                if best.seconds <= QUICK_SECONDS:
                    break
                best = min(best, await _look(connection), key=lambda look: look.seconds)
        self._base = best.at
        self._base_monotonic = best.begun_at + best.seconds / 2

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        if self._database.is_sqlite:
            return datetime.now(UTC)
        return self._base + timedelta(seconds=monotonic() - self._base_monotonic)


async def _look(connection: AsyncConnection) -> _Look:
    begun_at = monotonic()
    at: datetime = (await connection.execute(select(text("statement_timestamp()")))).scalar_one()
    return _Look(at.astimezone(UTC), begun_at, monotonic())
