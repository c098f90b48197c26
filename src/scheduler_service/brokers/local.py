"""Sends notices within one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler_service.domain.run_notice import RunNotice


class LocalBroker:
    """Wakes the workers of this process. They read the due runs and their order from the database."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Call `wake` once for each `send`."""
        self._wake = wake

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Wake the workers; see `Broker.send`."""
        if notices:
            self._wake()

    async def close(self) -> None:
        """Do nothing: there are no connections."""
