"""The records of workers and of what they execute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.records import Worker
from scheduler_service.services.liveness import Liveness


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """A run that a worker executes."""

    run_id: int
    job_id: int
    job_name: str
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker, its state for monitoring, and those of its runs that the caller may see."""

    worker: Worker
    state: Liveness
    heartbeat_age_seconds: float
    runs: tuple[WorkerRun, ...]
