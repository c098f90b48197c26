"""One reader of the event stream for all followers in this process.

Theory of operation. A task reads new events and appends them to the buffer of each follower, so fifty followers cost
the database no more than one. It runs only while there are followers. A follower joins first and then reads from the
database what it missed: whatever that query does not return comes later in its buffer.

A follower that does not take its events is dropped when MAX_BUFFERED of them wait. It reconnects with the id of its
last event. The reader's own failure ends all followers, who do the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

import structlog

from scheduler_service.domain.events import Event, Position
from scheduler_service.errors import UnavailableError
from scheduler_service.storage import events
from scheduler_service.storage.database import Database

BATCH = 500
LOOK_SECONDS = 0.25
MAX_BUFFERED = 5_000
# How often a follower returns without an event, so that its stream can send a sign of life.
IDLE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Follower:
    """The events that a client has not taken yet."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._error: UnavailableError | None = None
        self.is_over = False

    def add(self, found: Iterable[Event]) -> None:
        """Append events, or drop this follower if it takes too few."""
        self._waiting.extend(found)
        if len(self._waiting) > MAX_BUFFERED:
            log.warning("event_follower_dropped", waiting=len(self._waiting))
            self._waiting.clear()
            self.is_over = True
        self._changed.set()

    def end(self, error: UnavailableError | None = None) -> None:
        """End this follower, with an error or without."""
        self._error, self.is_over = error, True
        self._changed.set()

    async def take(self) -> Sequence[Event]:
        """Return all waiting events, or none after IDLE_SECONDS. Raise `UnavailableError` if the reader failed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._changed.wait()
        self._changed.clear()
        if self._error is not None:
            raise self._error
        found = tuple(self._waiting)
        self._waiting.clear()
        return found


class EventFeed:
    """The reader, and its followers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: set[Follower] = set()
        self._reader: asyncio.Task[None] | None = None
        self._joining = asyncio.Lock()

    async def join(self, stopping: asyncio.Event) -> Follower:
        """Return a follower of the events after the feed's position, which is not behind the newest one now.

        It must `leave`. All followers end when `stopping` is set.
        """
        async with self._joining:
            if self._reader is None or self._reader.done():
                async with self._database.read() as connection:
                    position = await events.newest(connection)
                self._reader = asyncio.create_task(self._read(position, stopping), name="event_feed")
            follower = Follower()
            self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Remove a follower. The reader stops with the last one."""
        self._followers.discard(follower)
        if not self._followers and self._reader is not None:
            self._reader.cancel()
            self._reader = None

    async def _read(self, position: Position, stopping: asyncio.Event) -> None:
        error: UnavailableError | None = None
        try:
            while not stopping.is_set():
                async with self._database.read() as connection:
                    found = await events.after(connection, position, BATCH)
                for follower in tuple(self._followers) if found else ():
                    follower.add(found)
                if found:
                    position = found[-1].position
                if len(found) < BATCH:
                    await _rest(stopping)
        except UnavailableError as failure:
            error = failure
        for follower in tuple(self._followers):
            follower.end(error)


async def _rest(stopping: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await stopping.wait()
