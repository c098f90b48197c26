"""How the runs of a window ended, in figures."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler_service.domain.run_state import Reason, RunStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows came to one end for one reason, and for how many instants they stand."""

    status: RunStatus
    reason: Reason | None
    rows: int
    instants: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle value and the one that 95 of 100 stay below or at; None: there are no values."""

    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The runs that ended within a time."""

    outcomes: tuple[Outcome, ...]
    duration_seconds: Spread
    lateness_seconds: Spread
