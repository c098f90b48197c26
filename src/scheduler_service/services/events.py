"""The event stream for clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.events import Event, Position
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.storage import events
from scheduler_service.storage.database import Database

BATCH = 500
LOOK_SECONDS = 0.25


class EventService:
    """Reads the event stream."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        self, caller: Caller, position: Position, stopping: asyncio.Event
    ) -> AsyncIterator[Sequence[Event]]:
        """Yield events of the caller's jobs as they appear, until `stopping` is set.

        Yield an empty sequence at intervals if nothing happens.
        """
        caller.require(Scope.READ)
        while not stopping.is_set():
            async with self._database.read() as connection:
                found = await events.after(connection, position, BATCH, owner_id=caller.bound)
            yield found
            if found:
                position = found[-1].position
            if len(found) < BATCH:
                await _rest(stopping)


async def _rest(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await stopping.wait()
    except TimeoutError:
        return
