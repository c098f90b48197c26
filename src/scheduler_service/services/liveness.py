"""Who is there: workers and dispatchers as they look from outside, sooner than anybody is declared dead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import WorkerState

# Beats and notes come each second; whoever watches is to know within five of them. What is declared dead, and loses
# its runs, is a matter of `worker_dead_seconds`.
SILENT_SECONDS = 4.0
MISSED_BEATS = 3


class Presence(StrEnum):
    """What is known of a worker.

    `unfit` lives but takes no runs, since its sandbox is at fault; `silent` has not been heard of for some seconds.
    """

    ALIVE = "alive"
    UNFIT = "unfit"
    DRAINING = "draining"
    SILENT = "silent"
    DEAD = "dead"


def presence(worker: Worker, now: datetime, heartbeat_seconds: float) -> Presence:
    """Return how a worker looks; `now` is by the database's clock, as are the instants that workers note."""
    if worker.state is WorkerState.DEAD:
        return Presence.DEAD
    if (now - worker.seen_at).total_seconds() > max(SILENT_SECONDS, MISSED_BEATS * heartbeat_seconds):
        return Presence.SILENT
    if worker.state is WorkerState.ALIVE and worker.unfit_reason is not None:
        return Presence.UNFIT
    return Presence(worker.state)


def tick_age_seconds(ticked_at: datetime | None, now: datetime) -> float | None:
    """Return how long ago a dispatcher ticked last; None: none did for an hour."""
    return None if ticked_at is None else max(0.0, (now - ticked_at).total_seconds())


def is_ticking(age_seconds: float | None, tick_seconds: float) -> bool:
    """Return whether some dispatcher does its work."""
    return age_seconds is not None and age_seconds <= max(SILENT_SECONDS, MISSED_BEATS * tick_seconds)


def take_runs(workers: Iterable[Worker], now: datetime, heartbeat_seconds: float) -> list[Worker]:
    """Return the workers that take runs."""
    return [worker for worker in workers if presence(worker, now, heartbeat_seconds) is Presence.ALIVE]
