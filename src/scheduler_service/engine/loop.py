"""Runs the loops of the engine. Each step returns how long to rest; a wake event shortens the rest."""

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
    """Wakes one loop. Calls of `set` during a step count as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the loop now, or shorten its next rest to nothing."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return after `set` was called, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


def start_loop(stack: AsyncExitStack, name: str, step: Step, wake_event: WakeEvent | None = None) -> None:
    """Repeat a step until the stack is closed. If the database is unavailable, repeat it after a rest.

    A loop that fails unexpectedly ends the process in order, so that its supervisor restarts it. Without the loop, the
    service would only seem to work. Closing the stack then raises `LoopFailedError`.
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
            log.warning("loop_stalled", loop=name, error=str(error))
            rest_seconds = UNAVAILABLE_REST_SECONDS
        if not ending.is_set():
            await wake_event.wait(rest_seconds)


async def until_available(write: Callable[[], Awaitable[Result]], **about: object) -> Result:
    """Repeat a call until the database is available, with a rest after each `UnavailableError`."""
    while True:
        try:
            return await write()
        except UnavailableError as error:
            log.warning("write_delayed", error=str(error), **about)
        await asyncio.sleep(UNAVAILABLE_REST_SECONDS)


async def _stop_loop(task: asyncio.Task[None], wake_event: WakeEvent, ending: asyncio.Event) -> None:
    # A step may be in a transaction. Cancelling it there would leak its connection, on SQLite together with the write
    # lock. Therefore wait for the step, and cancel it only if it takes too long.
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
    # Signal the process, not this thread: under Celery, the main thread must wake up.
    os.kill(os.getpid(), signal.SIGTERM)
