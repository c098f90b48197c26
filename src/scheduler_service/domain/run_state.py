"""The states of runs, jobs and workers, and the transitions that the database allows.

Theory of operation. A run moves `queued` → `running` → one of the final states. A failed attempt with retries left
moves it through `retrying` back to `queued`. The comment on each state names the process that sets it and the process
that ends it. `claims`, `transitions` and `cancellations` in `storage` make each move as one guarded UPDATE whose row
count decides who won. `storage/rescues.py` instead locks the rows, asks `domain/rescue.py`, and moves them before the
commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class RunStatus(StrEnum):
    """The state of a run. The last five states are final."""

    # The dispatcher inserts it for a due instant or at the end of an upstream run, or the API for a manual run. A run
    # returns here when its retry is due, when its worker died, or when its worker shut down first. A worker's claim
    # ends it.
    QUEUED = "queued"
    # A worker claimed the run and holds its lease. That worker ends the state, or the rescue loop if the worker is
    # dead.
    RUNNING = "running"
    # An attempt failed and a retry is allowed at `available_at`. A dispatcher then moves the run back to `queued`.
    RETRYING = "retrying"
    # The attempt that held the lease ended with exit code 0. Final.
    SUCCESS = "success"
    # The last allowed attempt failed, or too many attempts lost their worker. A dispatcher sets it for a waiting run
    # that no worker may begin any more, because a grant of its job was taken away. Final.
    FAILED = "failed"
    # A user cancelled the run, its job was deleted, or a later run replaced it. The API sets it for a waiting run; the
    # worker that holds the lease sets it after it has killed the run. Final.
    CANCELLED = "cancelled"
    # The dispatcher inserts it for an instant that came due during earlier runs of the job, or for the end of an
    # upstream run after which the job does not run, or because a quota of its owner is used up. Final.
    SKIPPED = "skipped"
    # The dispatcher inserts it for one instant or a range that passed before a dispatcher could fire it. A run that no
    # worker began by `start_by` moves here from `queued`. Final.
    MISSED = "missed"


class Reason(StrEnum):
    """Why a run did not succeed, or why it never started."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CPU_LIMIT = "cpu_limit"
    OUTPUT_LIMIT = "output_limit"
    WORKER_LOST = "worker_lost"
    REJECTED = "rejected"
    ENVIRONMENT = "environment"
    OVERLAP = "overlap"
    MISFIRE = "misfire"
    CATCHUP_LIMIT = "catchup_limit"
    START_DEADLINE = "start_deadline"
    CALENDAR = "calendar"
    DEPENDENCY = "dependency"
    QUOTA = "quota"
    JOB_DELETED = "job_deleted"
    USER = "user"


class Trigger(StrEnum):
    """What created a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    RETRY = "retry"
    DEPENDENCY = "dependency"
    BACKFILL = "backfill"
    # A run of a definition that is not stored as a job.
    TEST = "test"


class JobStatus(StrEnum):
    """Whether a job's schedule fires. A `finished` job has no further instant."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"


class WorkerState(StrEnum):
    """Whether a worker claims runs. A `draining` worker only finishes its runs; a `dead` one may write nothing more."""

    ALIVE = "alive"
    DRAINING = "draining"
    DEAD = "dead"


TRANSITIONS: Mapping[RunStatus | None, frozenset[RunStatus]] = MappingProxyType(
    {
        None: frozenset({RunStatus.QUEUED, RunStatus.SKIPPED, RunStatus.MISSED}),
        RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.MISSED}),
        RunStatus.RUNNING: frozenset(
            {RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.RETRYING, RunStatus.CANCELLED, RunStatus.QUEUED}
        ),
        RunStatus.RETRYING: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED, RunStatus.FAILED}),
        RunStatus.SUCCESS: frozenset(),
        RunStatus.FAILED: frozenset(),
        RunStatus.CANCELLED: frozenset(),
        RunStatus.SKIPPED: frozenset(),
        RunStatus.MISSED: frozenset(),
    }
)
"""The states that may follow each state. None stands for a run that has no row yet."""

TERMINAL = frozenset(status for status in RunStatus if not TRANSITIONS[status])
ACTIVE = frozenset(RunStatus) - TERMINAL
