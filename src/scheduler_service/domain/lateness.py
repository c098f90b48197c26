"""Lateness: how long after its due time a run begins."""

from __future__ import annotations

from datetime import datetime

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import Trigger


def lateness_seconds(run: Run, now: datetime) -> float:
    """Return how late a run is that begins now. It counts from the first attempt, so a retry keeps what is stored."""
    return (now - due_at(run)).total_seconds() if run.lateness_seconds is None else run.lateness_seconds


def due_at(run: Run) -> datetime:
    """Return when a run should begin: at its instant, or at the end of an intended wait, such as jitter.

    A wait after a fault of a worker is not intended, so it makes the run late.
    """
    was_faulted = run.fault_count > 0
    has_waited = run.available_at > run.queued_at and not was_faulted
    return run.scheduled_for if run.trigger is Trigger.SCHEDULE and not has_waited else run.available_at
