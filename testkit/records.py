"""Records for tests of pure functions, which need no database."""

from __future__ import annotations

from typing import Any

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import RunStatus, Trigger
from testkit.databases import A_JOB, NOON


def job_record(**changes: Any) -> Job:
    """Return a job that is due every minute from noon on, or as `changes` say."""
    return Job(**{**dict.fromkeys(Job.__dataclass_fields__), "id": 1, **A_JOB, **changes})


def run_record(**changes: Any) -> Run:
    """Return a queued run that was scheduled for noon, or as `changes` say; what a run need not have is None."""
    counts = dict.fromkeys(("attempt", "retry_count", "rescue_count", "fault_count", "log_bytes"), 0)
    instants = dict.fromkeys(("scheduled_for", "queued_at", "available_at"), NOON)
    states = {
        "status": RunStatus.QUEUED,
        "trigger": Trigger.SCHEDULE,
        "priority": 5,
        "logs_truncated": False,
        "artifacts": [],
    }
    known = {"id": 1, "job_id": 1, "correlation_id": "c", **counts, **instants, **states, **changes}
    return Run(**{**dict.fromkeys(Run.__dataclass_fields__), **known})
