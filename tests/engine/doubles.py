"""Stand-ins for the clock's neighbours: a doorbell that remembers who was rung for."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler_service.domain.ring import Ring


class RecordingBroker:
    """Keeps the rings instead of delivering them."""

    def __init__(self) -> None:
        self.rings: list[Ring] = []

    async def send(self, rings: Sequence[Ring]) -> None:
        self.rings += rings

    async def close(self) -> None:
        """Nothing is held open."""
