"""Waits for the first of several events, for a descriptor and for a process, on the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable


async def first_of(*events: Awaitable[object], timeout_seconds: float | None = None) -> int | None:
    """Wait for the first event. Return its position (the lowest of several), or None after `timeout_seconds`.

    Raises what that event raised. Tasks that were passed in continue; bare coroutines are cancelled.
    """
    tasks = [asyncio.ensure_future(event) for event in events]
    try:
        await asyncio.wait(tasks, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        for position, task in enumerate(tasks):
            if task.done():
                task.result()
                return position
        return None
    finally:
        for task, event in zip(tasks, events, strict=True):
            if task is not event:
                task.cancel()


async def until_readable(descriptor: int) -> None:
    """Wait until `descriptor` is readable or at its end."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


async def until_exit(pid: int) -> None:
    """Wait until our child `pid` has ended. It is not reaped."""
    descriptor = os.pidfd_open(pid)
    try:
        await until_readable(descriptor)
    finally:
        os.close(descriptor)
