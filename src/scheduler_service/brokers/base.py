"""The interface of brokers. The embedded and the distributed mode differ in its implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler_service.domain.run_notice import RunNotice


class Broker(Protocol):
    """Sends notices to workers. It may lose, repeat or reorder them: that delays runs but loses none."""

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Send a notice for each run.

        A notice that cannot be sent is logged and dropped. A polling worker finds the run after about a second.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
