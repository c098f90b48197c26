"""What goes through the doorbell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunNotice:
    """A notice that run `run_id`, with `attempt` attempts so far, may be claimed; `priority` 0 (last) to 9 is a hint.

    `trace_parent` is the W3C trace context of the run, for anybody who looks on; None: nobody traces.
    """

    run_id: int
    attempt: int
    priority: int
    correlation_id: str
    tags: tuple[str, ...] = ()
    trace_parent: str | None = None
