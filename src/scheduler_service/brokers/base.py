"""The seam between the two settings: who is told that a run waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler_service.domain.ring import Ring


class Broker(Protocol):
    """A doorbell. It may lose, repeat or reorder rings; nobody may rely on it for more than promptness."""

    async def send(self, rings: Sequence[Ring]) -> None:
        """Ring for each; a ring that cannot be delivered is logged and dropped (the rescue loop rings again)."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
