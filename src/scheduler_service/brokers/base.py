"""The seam between the two settings: who is told that a run waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler_service.domain.run_notice import RunNotice


class Broker(Protocol):
    """Notifies workers of runs. It may lose, repeat or reorder notices: only promptness depends on it."""

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Send a notice for each run. One that cannot be sent is logged and dropped; the rescue loop sends it again."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
