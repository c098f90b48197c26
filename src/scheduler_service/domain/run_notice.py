"""The notice that a broker carries to the workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunNotice:
    """A notice that run `run_id`, which has had `attempt` attempts, may be claimed.

    `priority` from 0 (last) to 9 is a hint. `trace_parent` is the W3C trace context of the run, or None if tracing is
    off. Losing a notice delays a run but does not lose it: workers also poll the database.
    """

    run_id: int
    attempt: int
    priority: int
    correlation_id: str
    tags: tuple[str, ...] = ()
    trace_parent: str | None = None
