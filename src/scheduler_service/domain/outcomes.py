"""Figures about the runs that ended within a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    @property
    def executed(self) -> int:
        """Return the number of runs that succeeded or failed."""
        return self._rows(RunStatus.SUCCESS) + self._rows(RunStatus.FAILED)

    @property
    def success_rate(self) -> float | None:
        """Return the share of these runs that succeeded, or None if there are none."""
        return self._rows(RunStatus.SUCCESS) / self.executed if self.executed else None

    def instants(self, status: RunStatus) -> int:
        """Return the number of instants with a status. Templates name it by its word, which equals it."""
        return sum(outcome.instants for outcome in self.outcomes if outcome.status == status)

    def _rows(self, status: RunStatus) -> int:
        return sum(outcome.rows for outcome in self.outcomes if outcome.status is status)


@dataclass(frozen=True, slots=True)
class Step:
    """The runs that ended within one step of a window, and the durations of those that ran."""

    at: datetime
    by_status: Mapping[RunStatus, int]
    duration_seconds: Spread


def spread_of_buckets(counts: Mapping[int, int], bounds: Sequence[int]) -> Spread:
    """Return percentiles from the number of values up to each bound, in milliseconds, by interpolation.

    The bounds grow by a constant factor, so a value is assumed to lie evenly on a logarithmic scale.
    """
    total = sum(counts.values())
    return Spread(*(_percentile(counts, bounds, total * share) for share in (0.5, 0.95))) if total else Spread()


def _percentile(counts: Mapping[int, int], bounds: Sequence[int], rank: float) -> float:
    seen = 0
    for place, bound in enumerate(bounds):
        count = counts.get(bound, 0)
        if count and seen + count >= rank:
            lower = bounds[place - 1] if place else bound / 2
            milliseconds: float = lower * (bound / lower) ** ((rank - seen) / count)
            return round(milliseconds / 1000, 6)
        seen += count
    return bounds[-1] / 1000  # longer than the last bound
