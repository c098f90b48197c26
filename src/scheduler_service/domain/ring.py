"""What goes through the doorbell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ring:
    """Says that run `run_id`, with `attempt` attempts so far, may be claimed; `priority` 0 (last) to 9 is a hint."""

    run_id: int
    attempt: int
    priority: int
    correlation_id: str
    tags: tuple[str, ...] = ()
