"""The doorbell inside one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler_service.domain.ring import Ring


class LocalBroker:
    """Wakes the workers of this process; what is to be run, and in which order, they read from the database."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Call `wake` once for all rings of a call."""
        self._wake = wake

    async def send(self, rings: Sequence[Ring]) -> None:
        """Wake the workers; see `Broker.send`."""
        if rings:
            self._wake()

    async def close(self) -> None:
        """Nothing is held open."""
