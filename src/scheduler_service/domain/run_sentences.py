"""Sentences about rows of the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import Reason, RunStatus

_REASONS: Mapping[Reason, str] = {
    Reason.EXIT_CODE: "its exit code was not 0",
    Reason.SIGNAL: "a signal ended it",
    Reason.TIMEOUT: "it ran longer than timeout_seconds",
    Reason.OUT_OF_MEMORY: "it needed more than limits.memory_mb",
    Reason.CPU_LIMIT: "it used more than limits.cpu_seconds",
    Reason.OUTPUT_LIMIT: "it wrote too much output",
    Reason.WORKER_LOST: "its worker was lost too often",
    Reason.REJECTED: "it could not be started",
    Reason.ENVIRONMENT: "its packages could not be installed",
    Reason.OVERLAP: "the job was busy",
    Reason.MISFIRE: "no dispatcher fired it in time",
    Reason.CATCHUP_LIMIT: "more instants were late than catchup_limit allows",
    Reason.START_DEADLINE: "no worker began it within start_deadline_seconds",
    Reason.CALENDAR: "a calendar excludes its day",
    Reason.QUOTA: "a quota of its owner was used up",
    Reason.DEPENDENCY: "a run that it follows did not end as `after` asks",
    Reason.JOB_DELETED: "its job was deleted",
    Reason.USER: "a user asked for it",
}
_VERBS: Mapping[RunStatus, str] = {
    RunStatus.QUEUED: "waits for a worker",
    RunStatus.RUNNING: "executes",
    RunStatus.RETRYING: "failed and is tried again",
    RunStatus.SUCCESS: "succeeded",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "was cancelled",
    RunStatus.SKIPPED: "was skipped",
    RunStatus.MISSED: "was missed",
}


def sentence_of(run: Run) -> str:
    """Return what became of an instant or of a manual run, and why."""
    subject = f"The run of {iso8601(run.scheduled_for)}"
    if run.status is RunStatus.MISSED and run.missed_count != 1 and run.missed_until is not None:
        span = f"from {iso8601(run.scheduled_for)} to {iso8601(run.missed_until)}"
        subject = f"Each of {run.missed_count} instants {span}"
    reason = _REASONS.get(run.reason) if run.reason is not None else None
    why = run.message or reason
    return f"{subject} {_VERBS[run.status]}{f': {why}' if why else ''}."
