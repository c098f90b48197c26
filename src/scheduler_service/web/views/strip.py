"""The strip of a job: its newest rows as cells, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.outcomes import Outcome
from scheduler_service.web.views.status import Status, status_of_run


@dataclass(frozen=True, slots=True)
class StripCell:
    """One row of the ledger, as a cell that leads to it. `look` names its colours; cells without code are hollow."""

    run_id: int
    status: Status
    at: datetime
    reason: str | None
    look: str


def strip(outcomes: Sequence[Outcome]) -> tuple[StripCell, ...]:
    """Return the cells of rows that are given newest first."""
    return tuple(_cell(outcome) for outcome in reversed(outcomes))


def _cell(outcome: Outcome) -> StripCell:
    status = status_of_run(outcome.status)
    look = status.family if outcome.started_at is not None else f"{status.family} hollow"
    return StripCell(outcome.run_id, status, outcome.scheduled_for, outcome.reason, look)
