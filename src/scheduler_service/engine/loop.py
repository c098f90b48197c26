"""How the loops of the engine turn: a step says how long to rest, a wake_event cuts the rest short."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import structlog

from scheduler_service.errors import LoopFailedError, UnavailableError

Result = TypeVar("Result")
Step = Callable[[], Awaitable[float]]
UNAVAILABLE_REST_SECONDS = 1.0
LAST_STEP_SECONDS = 5.0

log = structlog.get_logger(__name__)


class WakeEvent:
    """Wakes one loop; notices while nobody waits are kept as one."""

    def __init__(self) -> None:
        """Begin silent."""
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the loop, now or at its next rest."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Rest until the wake_event notices, `seconds` at the most."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


def start_loop(stack: AsyncExitStack, name: str, step: Step, wake_event: WakeEvent | None = None) -> None:
    """Repeat a step until the stack is left; a database that does not answer is waited for.

    A loop that meets what it was not made for ends the process in good order, for its supervisor to start anew: a
    service without it would only look alive. Leaving the stack then raises `LoopFailedError`.
    """
    wake_event, ending = wake_event or WakeEvent(), asyncio.Event()
    task = asyncio.create_task(_turn(name, step, wake_event, ending), name=name)
    task.add_done_callback(_end_process_if_failed)
    stack.push_async_callback(_stop_loop, task, wake_event, ending)


async def _turn(name: str, step: Step, wake_event: WakeEvent, ending: asyncio.Event) -> None:
    while not ending.is_set():
        try:
            rest_seconds = await step()
        except UnavailableError as error:
            log.warning("loop_waits_for_database", loop=name, error=str(error))
            rest_seconds = UNAVAILABLE_REST_SECONDS
        if not ending.is_set():
            await wake_event.wait(rest_seconds)


async def insist(write: Callable[[], Awaitable[Result]], **about: object) -> Result:
    """Repeat a call, mostly a write, until it succeeds, waiting while the database does not answer."""
    while True:
        try:
            return await write()
        except UnavailableError as error:
            log.warning("write_waits_for_database", error=str(error), **about)
        await asyncio.sleep(UNAVAILABLE_REST_SECONDS)


async def _stop_loop(task: asyncio.Task[None], wake_event: WakeEvent, ending: asyncio.Event) -> None:
    # A step may be in a transaction. Cancelled there, its connection would go astray, on SQLite with the lock that
    # every other writer waits for; so it may end, and only one that does not is cancelled.
    ending.set()
    wake_event.set()
    await asyncio.wait([task], timeout=LAST_STEP_SECONDS)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise LoopFailedError(f"the loop {task.get_name()!r} failed; the log says why") from error


def _end_process_if_failed(task: asyncio.Task[None]) -> None:
    if task.cancelled() or (error := task.exception()) is None:
        return
    log.critical("loop_failed", loop=task.get_name(), exc_info=error)
    # To the process, not to this thread: where Celery has the main thread, it is to wake up.
    os.kill(os.getpid(), signal.SIGTERM)
