"""Decides the state of a run whose attempt was interrupted by something other than its own code."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler_service.domain.run_state import Reason, RunStatus

MAX_RESCUES = 3
"""A run that loses more attempts than this fails, because it may be the cause."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """The state of a run after an interruption, and its number of rescues."""

    status: RunStatus
    reason: Reason | None
    rescue_count: int

    @property
    def is_final(self) -> bool:
        """Return whether the run has ended."""
        return self.status is not RunStatus.QUEUED


def after_loss(rescue_count: int, cancel_reason: Reason | None) -> Rescue:
    """Return the state of a run whose worker was lost. `cancel_reason` is the reason of a requested cancel, or None."""
    if cancel_reason is None and rescue_count >= MAX_RESCUES:
        return Rescue(RunStatus.FAILED, Reason.WORKER_LOST, rescue_count)
    rescued = after_shutdown(rescue_count, cancel_reason)
    return rescued if rescued.is_final else Rescue(RunStatus.QUEUED, None, rescue_count + 1)


def after_shutdown(rescue_count: int, cancel_reason: Reason | None) -> Rescue:
    """Return the state of a run whose worker shuts down, which can happen any number of times."""
    if cancel_reason is not None:
        return Rescue(RunStatus.CANCELLED, cancel_reason, rescue_count)
    return Rescue(RunStatus.QUEUED, None, rescue_count)
