"""Statistics of recent runs, for users without Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.outcomes import Ended, OutcomeCount, Spread
from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.services.liveness import ready_workers
from scheduler_service.storage import figures, stats, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.figures import Backlog


@dataclass(frozen=True, slots=True)
class Standing:
    """The current state of queue and workers."""

    queued: int
    retrying: int
    running: int
    oldest_queued_seconds: float
    workers: int
    slots: int
    busy: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures about the runs that ended since an instant, and the current state.

    `executed` counts runs that succeeded or failed. `success_rate` is the share of the former, or None if there are
    none.
    """

    since: datetime
    until: datetime
    outcomes: tuple[OutcomeCount, ...]
    duration_seconds: Spread
    lateness_seconds: Spread
    executed: int
    executed_per_minute: float
    success_rate: float | None
    standing: Standing


class StatsService:
    """Computes statistics from the ledger."""

    def __init__(self, database: Database, clock: Clock, *, heartbeat_seconds: float) -> None:
        """Expect a heartbeat every `heartbeat_seconds`."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds

    async def read(self, caller: Caller, window: timedelta) -> Stats:
        """Return figures of a window. Runs are restricted to the caller's owner; workers serve all owners."""
        caller.require(Scope.READ)
        now = self._clock.now()
        async with self._database.snapshot() as snapshot:
            ended = await stats.ended_since(snapshot, now - window, caller.bound)
            backlog = await figures.read_backlog(snapshot, caller.bound)
            found = await workers.all_workers(snapshot)
        return _stats(ended, self._standing(backlog, found, now), now - window, now)

    def _standing(self, backlog: Backlog, found: Sequence[Worker], now: datetime) -> Standing:
        ready = ready_workers(found, now, self._heartbeat_seconds)
        waits_since = backlog.queued_since
        return Standing(
            queued=backlog.active.get(RunStatus.QUEUED, 0),
            retrying=backlog.active.get(RunStatus.RETRYING, 0),
            running=backlog.active.get(RunStatus.RUNNING, 0),
            oldest_queued_seconds=0.0 if waits_since is None else max(0.0, (now - waits_since).total_seconds()),
            workers=len(ready),
            slots=sum(worker.slots for worker in ready),
            busy=sum(worker.busy for worker in ready),
        )


def _stats(ended: Ended, standing: Standing, since: datetime, until: datetime) -> Stats:
    counts: Counter[RunStatus] = Counter()
    for outcome in ended.outcomes:
        counts[outcome.status] += outcome.rows
    judged = counts[RunStatus.SUCCESS] + counts[RunStatus.FAILED]
    return Stats(
        since=since,
        until=until,
        outcomes=ended.outcomes,
        duration_seconds=ended.duration_seconds,
        lateness_seconds=ended.lateness_seconds,
        executed=judged,
        executed_per_minute=judged / ((until - since).total_seconds() / 60),
        success_rate=counts[RunStatus.SUCCESS] / judged if judged else None,
        standing=standing,
    )
