"""Waiting in tests: for a condition with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

# For one condition, on a busy machine: a test fails after it.
DEADLINE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.01
MAX_PAUSE_SECONDS = 0.2


def wait_until(
    look: Callable[[], Any], deadline_seconds: float = DEADLINE_SECONDS, pause_seconds: float | None = None
) -> Any:
    """Repeat a check until it returns something true, and return that. Fail after the deadline."""
    for pause in _pauses(deadline_seconds, pause_seconds):
        if seen := look():
            return seen
        time.sleep(pause)
    raise AssertionError(_too_late(deadline_seconds))


async def eventually(
    look: Callable[[], Awaitable[Any]], deadline_seconds: float = DEADLINE_SECONDS, pause_seconds: float | None = None
) -> Any:
    """Do as `wait_until` does, in an event loop."""
    for pause in _pauses(deadline_seconds, pause_seconds):
        if seen := await look():
            return seen
        await asyncio.sleep(pause)
    raise AssertionError(_too_late(deadline_seconds))


def _pauses(deadline_seconds: float, pause_seconds: float | None) -> Iterator[float]:
    """Yield the pauses between checks: increasing ones, unless `pause_seconds` is set."""
    deadline, pause = time.monotonic() + deadline_seconds, FIRST_PAUSE_SECONDS
    while time.monotonic() < deadline:
        yield pause_seconds or pause
        pause = min(pause * 1.5, MAX_PAUSE_SECONDS)
    yield 0.0  # one more check, because this process itself may have been delayed


def _too_late(deadline_seconds: float) -> str:
    return f"the condition did not hold within {deadline_seconds:g} s"
