"""Spares loops their queries while no job and no run changes.

Theory of operation. The database records each change of a job or run as an event. The dispatcher reads the number of
the newest one with each tick, in the query that it needs anyway, and notes it here. A loop that works only after
changes compares numbers in memory. It also works every `IDLE_SECONDS`, for the changes that leave no event.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scheduler_service.engine.loop import Step

IDLE_SECONDS = 30.0


class Changes:
    """The newest change of a job or run. None: nobody has read it yet."""

    def __init__(self) -> None:
        self.newest: int | None = None

    def note(self, newest: int) -> None:
        """Store the number of the newest change."""
        self.newest = newest


def after_changes(
    changes: Changes, step: Step, rest_seconds: float, monotonic: Callable[[], float] = time.monotonic
) -> Step:
    """Return a step that calls another one only after changes, and looks for them every `rest_seconds`."""
    done: int | None = None
    is_idle_until = 0.0

    async def step_after_changes() -> float:
        nonlocal done, is_idle_until
        newest = changes.newest
        if newest is not None and newest == done and monotonic() < is_idle_until:
            return rest_seconds
        rest = await step()
        # Noted after the step: one that fails is repeated.
        done, is_idle_until = newest, monotonic() + IDLE_SECONDS
        return min(rest, rest_seconds)

    return step_after_changes
