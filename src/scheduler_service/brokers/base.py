"""The seam between the two settings: who is told that a run waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ring:
    """Says that attempt `attempt` of run `run_id` may be claimed; `priority` 0 (last) to 9 (first) is a hint."""

    run_id: int
    attempt: int
    priority: int
    correlation_id: str
    tags: tuple[str, ...] = ()


class Broker(Protocol):
    """A doorbell. It may lose, repeat or reorder rings; nobody may rely on it for more than promptness."""

    async def send(self, rings: Sequence[Ring]) -> None:
        """Ring for each; a ring that cannot be delivered is logged and dropped (the rescue loop rings again)."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
