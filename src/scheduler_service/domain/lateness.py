"""Computes how long after its due time a run starts."""

from __future__ import annotations

from datetime import datetime

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import Trigger


def lateness_seconds(run: Run, now: datetime) -> float:
    """Return the lateness of a run that starts now.

    It is that of the first attempt, so a retry keeps the stored value.
    """
    return (now - due_at(run)).total_seconds() if run.lateness_seconds is None else run.lateness_seconds


def due_at(run: Run) -> datetime:
    """Return when a run should start: at its instant, or at the end of an intended wait such as jitter.

    A wait after a worker's fault is not intended, so it makes the run late.
    """
    was_faulted = run.fault_count > 0
    has_waited = run.available_at > run.queued_at and not was_faulted
    return run.scheduled_for if run.trigger is Trigger.SCHEDULE and not has_waited else run.available_at
