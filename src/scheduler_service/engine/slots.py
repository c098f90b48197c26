"""The slots of a worker, which a run lends to others while it only waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager


class Slots:
    """Counts runs. A run enters when fewer than `count` others are inside, and may lend its slot meanwhile.

    A run that has lent its slot goes on at once when it need not wait any more. So up to twice `count` runs can be
    inside for a while.
    """

    def __init__(self, count: int, on_lent: Callable[[], None] = lambda: None) -> None:
        """Call `on_lent` when another run may enter because a slot was lent."""
        self._count = count
        self._on_lent = on_lent
        self._taken = 0
        self._changed = asyncio.Event()
        self.lent = 0

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it as long as the block runs."""
        while self._taken >= self._count:
            self._changed.clear()
            await self._changed.wait()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._changed.set()

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Lend the slot of the caller as long as the block runs, unless as many are lent as there are."""
        if self.lent >= self._count:
            yield
            return
        self.lent += 1
        self._taken -= 1
        self._changed.set()
        self._on_lent()
        try:
            yield
        finally:
            self._taken += 1
            self.lent -= 1
