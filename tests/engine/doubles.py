"""Stand-ins for the clock's neighbours: a doorbell that remembers who was rung for."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler_service.domain.run_notice import RunNotice


class RecordingBroker:
    """Keeps the notices instead of delivering them."""

    def __init__(self) -> None:
        self.notices: list[RunNotice] = []

    async def send(self, notices: Sequence[RunNotice]) -> None:
        self.notices += notices

    async def close(self) -> None:
        """Nothing is held open."""
