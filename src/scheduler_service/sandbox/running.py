"""The runs in progress, so that a sandbox can stop them and wait for their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Running:
    """Counts runs. `stopped` is set when they must end."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self._runs: set[asyncio.Future[None]] = set()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Make `stop` wait while the block runs."""
        done = asyncio.get_running_loop().create_future()
        self._runs.add(done)
        try:
            yield
        finally:
            self._runs.discard(done)
            done.set_result(None)

    async def stop(self) -> None:
        """Ask all runs to end, and wait until they have."""
        self.stopped.set()
        if self._runs:
            await asyncio.wait(self._runs)
