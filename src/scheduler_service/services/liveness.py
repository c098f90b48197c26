"""Reports which workers and dispatchers are alive, sooner than the engine declares a worker dead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import WorkerState

# Heartbeats come every second, and this state must be visible within five. `worker_dead_seconds` decides separately
# when a worker loses its runs.
SILENT_SECONDS = 4.0
MISSED_BEATS = 3
# A dispatcher records its latest tick this often.
TICK_NOTE_SECONDS = 2.0


class Liveness(StrEnum):
    """The state of a worker for monitoring.

    `unfit`: alive, but its sandbox fails and it claims no runs. `silent`: no heartbeat for some seconds.
    """

    ALIVE = "alive"
    UNFIT = "unfit"
    DRAINING = "draining"
    SILENT = "silent"
    DEAD = "dead"


def liveness(worker: Worker, now: datetime, heartbeat_seconds: float) -> Liveness:
    """Return the state of a worker at `now`, which is on the database's clock like the workers' timestamps."""
    if worker.state is WorkerState.DEAD:
        return Liveness.DEAD
    if (now - worker.seen_at).total_seconds() > max(SILENT_SECONDS, MISSED_BEATS * heartbeat_seconds):
        return Liveness.SILENT
    if worker.state is WorkerState.ALIVE and worker.unfit_reason is not None:
        return Liveness.UNFIT
    return Liveness(worker.state)


def tick_age_seconds(ticked_at: datetime | None, now: datetime) -> float | None:
    """Return the seconds since the latest tick of a dispatcher, or None if there was none within an hour."""
    return None if ticked_at is None else max(0.0, (now - ticked_at).total_seconds())


def is_ticking(age_seconds: float | None, tick_seconds: float) -> bool:
    """Return whether a dispatcher works."""
    return age_seconds is not None and age_seconds <= TICK_NOTE_SECONDS + max(
        SILENT_SECONDS, MISSED_BEATS * tick_seconds
    )


def ready_workers(workers: Iterable[Worker], now: datetime, heartbeat_seconds: float) -> list[Worker]:
    """Return the workers that are ready: alive, with a sandbox that works, so that they claim runs."""
    return [worker for worker in workers if liveness(worker, now, heartbeat_seconds) is Liveness.ALIVE]
