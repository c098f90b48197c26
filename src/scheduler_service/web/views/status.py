"""How states look: a family of colours, a glyph and a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler_service.domain.run_state import JobStatus, RunStatus


@dataclass(frozen=True, slots=True)
class Status:
    """The look of a state. `family` says how to feel, `glyph` which state it is; `word` is a key of `status` texts."""

    family: str
    glyph: str
    word: str


RUN_STATUSES: Mapping[RunStatus, Status] = {
    RunStatus.QUEUED: Status("busy", "dotted", "queued"),
    RunStatus.RUNNING: Status("busy", "half", "running"),
    RunStatus.RETRYING: Status("warn", "retry", "retrying"),
    RunStatus.SUCCESS: Status("good", "check", "success"),
    RunStatus.FAILED: Status("bad", "cross", "failed"),
    RunStatus.CANCELLED: Status("calm", "bar", "cancelled"),
    RunStatus.SKIPPED: Status("warn", "skipped", "skipped"),
    RunStatus.MISSED: Status("bad", "missed", "missed"),
}
PLANNED = Status("calm", "circle", "planned")
"""The look of an instant that is still to come."""
JOB_STATUSES: Mapping[JobStatus, Status] = {
    JobStatus.ACTIVE: Status("good", "circle", "active"),
    JobStatus.PAUSED: Status("calm", "pause", "paused"),
    JobStatus.FINISHED: Status("calm", "bar", "finished"),
}


def status_of_run(status: RunStatus) -> Status:
    """Return the look of a run's state."""
    return RUN_STATUSES[status]


def status_of_job(status: JobStatus) -> Status:
    """Return the look of a job's state."""
    return JOB_STATUSES[status]
