"""How the loops of the engine turn: a step says how long to rest, a bell cuts the rest short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from scheduler_service.errors import UnavailableError

Result = TypeVar("Result")
Step = Callable[[], Awaitable[float]]
UNAVAILABLE_REST_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Bell:
    """Wakes one loop; rings while nobody waits are kept as one."""

    def __init__(self) -> None:
        """Begin silent."""
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the loop, now or at its next rest."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Rest until the bell rings, `seconds` at the most."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


async def turn(name: str, step: Step, bell: Bell) -> None:
    """Repeat a step until the task is cancelled; a database that does not answer is waited for."""
    while True:
        try:
            rest_seconds = await step()
        except UnavailableError as error:
            log.warning("loop_waits_for_database", loop=name, error=str(error))
            rest_seconds = UNAVAILABLE_REST_SECONDS
        await bell.wait(rest_seconds)


async def insist(write: Callable[[], Awaitable[Result]], **about: object) -> Result:
    """Do a write that must not be given up: while the database does not answer, wait and try again."""
    while True:
        try:
            return await write()
        except UnavailableError as error:
            log.warning("write_waits_for_database", error=str(error), **about)
        await asyncio.sleep(UNAVAILABLE_REST_SECONDS)
