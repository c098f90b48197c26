"""The doorbell inside one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler_service.domain.run_notice import RunNotice


class LocalBroker:
    """Wakes the workers of this process; what is to be run, and in which order, they read from the database."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Call `wake` once for all notices of a call."""
        self._wake = wake

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Wake the workers; see `Broker.send`."""
        if notices:
            self._wake()

    async def close(self) -> None:
        """Nothing is held open."""
