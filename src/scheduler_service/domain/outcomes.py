"""Figures about the runs that ended within a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.run_state import Reason, RunStatus, Trigger


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instant or request of a job, in short."""

    run_id: int
    status: RunStatus
    reason: Reason | None
    trigger: Trigger
    scheduled_for: datetime
    missed_count: int | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """The number of rows with one status and reason, and the number of instants that they cover."""

    status: RunStatus
    reason: Reason | None
    rows: int
    instants: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and the 95th percentile, or None if there are no values."""

    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The runs that ended within a period."""

    outcomes: tuple[OutcomeCount, ...]
    duration_seconds: Spread
    lateness_seconds: Spread
