"""The time that all processes share, taken from the database.

Theory of operation. `DatabaseClock` reads the database's clock periodically and advances it with this machine's
monotonic clock. Neither a wrong wall clock nor a jump of it changes what is due. Each sample is wrong by at most half
of its duration, so of several samples the quickest one counts (as in NTP: RFC 5905, section 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from scheduler_service.storage.database import Database

# A sample this quick is used at once. After a slow one, up to this many further samples are taken.
QUICK_SECONDS = 0.01
MORE_LOOKS = 4


class Clock(Protocol):
    """A source of the current time that agrees with the database. Tests use their own."""

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class _Sample:
    """The database's time, read between `begun_at` and `ended_at` of this machine's monotonic clock."""

    at: datetime
    begun_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.begun_at


class DatabaseClock:
    """The database's time, advanced by this machine's monotonic clock between two samples.

    The remaining error is half the round trip to the database. With SQLite, the database is this machine, and every
    sample is exact.
    """

    def __init__(self, database: Database) -> None:
        """Start from this machine's wall clock until the first `sync`."""
        self._database = database
        self._base = datetime.now(UTC)
        self._base_monotonic = monotonic()

    async def sync(self) -> None:
        """Read the database's clock. Raise `UnavailableError` if the database does not respond.

        Getting a connection is not part of the sample's duration. A slow sample is repeated and the quickest one
        counts, because a delay in this process or in the database must not change what is due.
        """
        if self._database.is_sqlite:
            return
        async with self._database.read() as connection:
            await _sample(connection)  # the first one takes more round trips: BEGIN and PREPARE
            best = await _sample(connection)
            for _ in range(MORE_LOOKS):
                if best.seconds <= QUICK_SECONDS:
                    break
                best = min(best, await _sample(connection), key=lambda sample: sample.seconds)
        self._base = best.at
        self._base_monotonic = best.begun_at + best.seconds / 2

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        if self._database.is_sqlite:
            return datetime.now(UTC)
        return self._base + timedelta(seconds=monotonic() - self._base_monotonic)


async def _sample(connection: AsyncConnection) -> _Sample:
    begun_at = monotonic()
    at: datetime = (await connection.execute(select(text("statement_timestamp()")))).scalar_one()
    return _Sample(at.astimezone(UTC), begun_at, monotonic())
