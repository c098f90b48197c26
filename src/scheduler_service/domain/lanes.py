"""Runs as lanes show them: when they waited and executed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.run_state import RunStatus


@dataclass(frozen=True, slots=True)
class LaneAttempt:
    """When an attempt executed. `finished_at` is None while it does."""

    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class LaneRun:
    """A run, or a row without a run. `attempts` are empty unless there were several."""

    run_id: int
    job_id: int
    job_name: str
    status: RunStatus
    scheduled_for: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: tuple[LaneAttempt, ...] = ()
