"""Explains why an attempt failed whose end alone says no more than an exit code."""

from __future__ import annotations

from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox.contract.spec import End, Outcome


def failure_cause(outcome: Outcome, payload: Payload, output: str) -> str | None:
    """Return the cause of an exit code other than 0 in a sentence, or None if nothing names one."""
    if outcome.end is not End.EXITED or outcome.exit_code == 0:
        return None
    return payload.failure(output)
