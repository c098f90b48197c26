"""From what the sandbox says to what the ledger says."""

from __future__ import annotations

from dataclasses import asdict

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.sandbox.spec import End, Outcome
from scheduler_service.storage.transitions import Report

_LEFT_OUT = "not all of the output was kept; a greater limits.output_kb keeps more"
_REASONS = {
    End.EXITED: Reason.EXIT_CODE,
    End.SIGNALLED: Reason.SIGNAL,
    End.TIMEOUT: Reason.TIMEOUT,
    End.CPU_LIMIT: Reason.CPU_LIMIT,
    End.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
    End.OUTPUT_LIMIT: Reason.OUTPUT_LIMIT,
    End.REJECTED: Reason.REJECTED,
}


def report_of(outcome: Outcome, cancel_reason: Reason | None) -> Report:
    """Give the report of an attempt; `cancel_reason` is why it was stopped, where it was."""
    status, reason = _verdict(outcome, cancel_reason)
    return Report(
        status=status,
        reason=reason,
        message=outcome.message or (_LEFT_OUT if outcome.output_truncated else None),
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        logs_truncated=outcome.output_truncated,
        isolation=asdict(outcome.isolation),
        # The kernel counts microseconds; what floats add to that is noise.
        usage={**asdict(outcome.usage), "cpu_seconds": round(outcome.usage.cpu_seconds, 6)},
    )


def _verdict(outcome: Outcome, cancel_reason: Reason | None) -> tuple[RunStatus, Reason | None]:
    if outcome.end is End.EXITED and outcome.exit_code == 0:
        return RunStatus.SUCCESS, None
    if outcome.end is End.CANCELLED:
        return RunStatus.CANCELLED, cancel_reason or Reason.USER
    return RunStatus.FAILED, _REASONS[outcome.end]
