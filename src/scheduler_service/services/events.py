"""The event stream for clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.events import Event, Position
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.event_feed import BATCH, EventFeed
from scheduler_service.storage import events
from scheduler_service.storage.database import Database


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events that a follower wants. `types` are such as `run.failed`; empty: all."""

    job_id: int | None = None
    run_id: int | None = None
    types: frozenset[str] = frozenset()

    def includes(self, event: Event) -> bool:
        """Return whether an event is wanted."""
        return (
            self.job_id in (None, event.job_id)
            and self.run_id in (None, event.run_id)
            and (not self.types or f"{event.subject}.{event.change}" in self.types)
        )


EVERYTHING = EventFilter()


class EventService:
    """Reads the event stream."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feed = EventFeed(database)

    async def start(self, caller: Caller, last_event_id: str | None) -> Position:
        """Return the position after the client's last event, or the newest position without one.

        Raise `InvalidInputError` if the id is not a position.
        """
        caller.require(Scope.READ)
        if last_event_id is not None:
            if (position := Position.parse(last_event_id)) is None:
                message = "this is no id of an event; send the id of the last one that you got, or none"
                raise InvalidInputError(FieldProblem("Last-Event-ID", message, last_event_id))
            return position
        async with self._database.read() as connection:
            return await events.newest(connection)

    async def may_have_a_gap(self, position: Position) -> bool:
        """Return whether events after a position may have been pruned."""
        async with self._database.read() as connection:
            return await events.is_forgotten(connection, position)

    async def follow(
        self, caller: Caller, position: Position, stopping: asyncio.Event, wanted: EventFilter = EVERYTHING
    ) -> AsyncGenerator[Sequence[Event]]:
        """Yield events of the caller's jobs as they appear, until `stopping` is set or the follower is too slow.

        Yield an empty sequence at intervals if nothing happens. Raise `UnavailableError` if the database does not
        answer.
        """
        caller.require(Scope.READ)
        follower = await self._feed.join(stopping)
        try:
            is_behind = True
            while is_behind and not stopping.is_set():
                async with self._database.read() as connection:
                    found = await events.after(connection, position, BATCH, owner_id=caller.bound)
                position = found[-1].position if found else position
                is_behind = len(found) == BATCH
                yield [event for event in found if wanted.includes(event)]
            while not (follower.is_over or stopping.is_set()):
                new = [event for event in await follower.take() if event.position > position]
                yield [event for event in new if caller.bound in (None, event.owner_id) and wanted.includes(event)]
        finally:
            self._feed.leave(follower)
