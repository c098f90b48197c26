"""The strip of a job: its newest rows as cells, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.outcomes import Outcome
from scheduler_service.web.views.status import Status, status_of_run


@dataclass(frozen=True, slots=True)
class StripCell:
    """One row of the ledger, as a cell that leads to it. `ran` says whether code ran, which fills the cell."""

    run_id: int
    status: Status
    at: datetime
    reason: str | None
    ran: bool


def strip(outcomes: Sequence[Outcome]) -> tuple[StripCell, ...]:
    """Return the cells of rows that are given newest first."""
    return tuple(
        StripCell(
            outcome.run_id,
            status_of_run(outcome.status),
            outcome.scheduled_for,
            outcome.reason,
            ran=outcome.started_at is not None,
        )
        for outcome in reversed(outcomes)
    )
