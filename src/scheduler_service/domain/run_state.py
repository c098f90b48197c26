"""The states of runs, jobs and workers, and the moves between them that the database lets happen."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class RunStatus(StrEnum):
    """Where a run stands. The last five never change again."""

    # Inserted by the dispatcher for a due instant, or by the API (run now, backfill). Back here when a due retry is
    # released, when the worker died, or when a draining worker gave it up. A worker's claim moves it on.
    QUEUED = "queued"
    # A worker claimed it and holds its lease. The same worker moves it on; if that worker is dead, the rescue loop.
    RUNNING = "running"
    # An attempt failed, and retries are left: it waits until `available_at`. A dispatcher releases it to `queued`.
    RETRYING = "retrying"
    # The attempt that held the lease ended with exit code 0. Final.
    SUCCESS = "success"
    # The last allowed attempt failed, or its worker was lost too often. Final.
    FAILED = "failed"
    # The user asked, or the job was deleted or overlapped itself: the API while it waits, the owner once it is killed.
    # Final.
    CANCELLED = "cancelled"
    # Inserted by the dispatcher: the instant was due, but the job was still busy with earlier ones. Final.
    SKIPPED = "skipped"
    # Inserted by the dispatcher: the instant, or a range of them, passed while nobody could fire it. Final.
    MISSED = "missed"


class Reason(StrEnum):
    """Why a run ended otherwise than in success, or never began."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CPU_LIMIT = "cpu_limit"
    OUTPUT_LIMIT = "output_limit"
    WORKER_LOST = "worker_lost"
    REJECTED = "rejected"
    OVERLAP = "overlap"
    MISFIRE = "misfire"
    CATCHUP_LIMIT = "catchup_limit"
    JOB_DELETED = "job_deleted"
    USER = "user"


class Trigger(StrEnum):
    """What asked for a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    RETRY = "retry"
    BACKFILL = "backfill"


class JobStatus(StrEnum):
    """Whether a job's schedule counts: `finished` means that it names no instant any more."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"


class WorkerState(StrEnum):
    """Whether a worker takes runs: `draining` ends what it has, `dead` was seen not to beat and may write no more."""

    ALIVE = "alive"
    DRAINING = "draining"
    DEAD = "dead"


TRANSITIONS: Mapping[RunStatus | None, frozenset[RunStatus]] = MappingProxyType(
    {
        None: frozenset({RunStatus.QUEUED, RunStatus.SKIPPED, RunStatus.MISSED}),
        RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
        RunStatus.RUNNING: frozenset(
            {RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.RETRYING, RunStatus.CANCELLED, RunStatus.QUEUED}
        ),
        RunStatus.RETRYING: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED}),
        RunStatus.SUCCESS: frozenset(),
        RunStatus.FAILED: frozenset(),
        RunStatus.CANCELLED: frozenset(),
        RunStatus.SKIPPED: frozenset(),
        RunStatus.MISSED: frozenset(),
    }
)
"""From each state (None: the row is not there yet) to the states that may follow it."""

TERMINAL = frozenset(status for status in RunStatus if not TRANSITIONS[status])
ACTIVE = frozenset(RunStatus) - TERMINAL
