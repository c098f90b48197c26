"""Actors, each of which stops before every transaction until the world lets it go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


class Actor:
    """A call of a service that goes on one transaction at a time."""

    def __init__(self, work: Awaitable[None]) -> None:
        """Prepare `work`, which begins with the first step."""
        self._work = work
        self._stopped = asyncio.Event()
        self._gate: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_done(self) -> bool:
        """Return whether the call has returned, and raise what it raised."""
        if self._task is None or not self._task.done():
            return False
        if not self._task.cancelled():
            self._task.result()
        return True

    async def step(self) -> None:
        """Continue the call until its next transaction is about to begin, or until it returns."""
        self._stopped.clear()
        if self._gate is not None:
            self._gate.set_result(None)
            self._gate = None
        elif self._task is None:
            token = _acting.set(self)
            self._task = asyncio.ensure_future(self._await_work())
            _acting.reset(token)
            self._task.add_done_callback(lambda _: self._stopped.set())
        await self._stopped.wait()

    async def kill(self) -> None:
        """End the call before its next transaction, as the death of its process does."""
        if self._task is None:
            close = getattr(self._work, "close", None)
            if close is not None:
                close()
            return
        if self._gate is not None:
            self._gate.cancel()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def wait_for_turn(self) -> None:
        """Return when the world lets this actor go on."""
        self._gate = asyncio.get_running_loop().create_future()
        self._stopped.set()
        await self._gate

    async def _await_work(self) -> None:
        await self._work


async def wait_for_turn() -> None:
    """Return when the acting actor may begin its next transaction; at once outside of actors."""
    if (actor := _acting.get()) is not None:
        await actor.wait_for_turn()
