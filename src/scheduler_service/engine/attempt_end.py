"""Converts the outcome of a command into the end of an attempt, and names other ways to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.run_result import is_handed_on
from scheduler_service.sandbox.contract.spec import End, Outcome
from scheduler_service.sandbox.contract.wording import printable
from scheduler_service.storage.transitions import AttemptEnd

FIRST_FAULT_REST_SECONDS = 1.0
MAX_FAULT_REST_SECONDS = 60.0
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


@dataclass(frozen=True, slots=True)
class Interruption:
    """The end of an attempt that its code did not cause: the worker stops, or the host failed.

    If `began` is False, no code has run, and the attempt does not count. `is_shutdown` means that the worker stops in
    order, which does not count as a rescue.
    """

    message: str
    began: bool = True
    is_shutdown: bool = False


@dataclass(frozen=True, slots=True)
class LeftByRun:
    """The result of an attempt, its artifacts, and in sentences what of them could not be kept.

    `cause` is why the code failed, if something names it.
    """

    result: Any = None
    artifacts: Sequence[Mapping[str, Any]] = ()
    problems: tuple[str, ...] = ()
    cause: str | None = None


NOTHING_LEFT = LeftByRun()


def fault_rest_seconds(fault_count: int) -> float:
    """Return how long a run rests after a fault of the host, of which it has had `fault_count` before."""
    return min(MAX_FAULT_REST_SECONDS, FIRST_FAULT_REST_SECONDS * 2.0 ** min(fault_count, 16))


def attempt_end(outcome: Outcome, cancel_reason: Reason | None, left: LeftByRun = NOTHING_LEFT) -> AttemptEnd:
    """Return the end of an attempt. `cancel_reason` is why it was stopped, or None. `left` is what it left behind."""
    status, reason = _verdict(outcome, cancel_reason)
    message = outcome.message or (_LEFT_OUT if outcome.output_truncated else None)
    return AttemptEnd(
        status=status,
        reason=reason,
        message=printable("; ".join(filter(None, (left.cause, message, *left.problems)))) or None,
        result=left.result,
        artifacts=left.artifacts,
        last_result=left.result if status is RunStatus.SUCCESS and is_handed_on(left.result) else None,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        logs_truncated=outcome.output_truncated,
        isolation=asdict(outcome.isolation),
        # The kernel counts microseconds; further digits are rounding errors.
        usage={**asdict(outcome.usage), "cpu_seconds": round(outcome.usage.cpu_seconds, 6)},
    )


def _verdict(outcome: Outcome, cancel_reason: Reason | None) -> tuple[RunStatus, Reason | None]:
    if outcome.end is End.EXITED and outcome.exit_code == 0:
        return RunStatus.SUCCESS, None
    if outcome.end is End.CANCELLED:
        return RunStatus.CANCELLED, cancel_reason or Reason.USER
    return RunStatus.FAILED, _REASONS[outcome.end]
