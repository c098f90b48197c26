"""Statistics of recent runs, for users without Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.hours import HOUR, hour_of
from scheduler_service.domain.outcomes import Ended, OutcomeCount, Spread, Step
from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.job_rows import check_history
from scheduler_service.services.liveness import ready_workers
from scheduler_service.storage import figures, hour_stats, stats, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.figures import Backlog

MAX_EXACT = 4_000
"""A window with more runs is summarised from the figures of its hours."""
MAX_STEPS = 400
FINE_WINDOW = 3 * HOUR
"""The longest window with steps of minutes."""


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
    none. If not `is_exact`, the percentiles are interpolated, and `since` is a full hour.
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
    is_exact: bool = True
    series: tuple[Step, ...] | None = None


@dataclass(frozen=True, slots=True)
class JobStats:
    """Figures about the runs of a job that ended since an instant. `is_cut`: only the newest were counted."""

    since: datetime
    until: datetime
    ended: Ended
    is_cut: bool


class StatsService:
    """Computes statistics from the ledger."""

    def __init__(self, database: Database, clock: Clock, *, heartbeat_seconds: float) -> None:
        """Expect a heartbeat every `heartbeat_seconds`."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds

    async def read(self, caller: Caller, window: timedelta, step: timedelta | None = None) -> Stats:
        """Return figures of a window. Runs are restricted to the caller's owner; workers serve all owners.

        A window of more than MAX_EXACT runs is read from the figures of its hours. Raise `InvalidInputError` if the
        steps are too many or too short.
        """
        caller.require(Scope.READ)
        _check_step(window, step)
        now = self._clock.now()
        since = now - window
        async with self._database.snapshot() as snapshot:
            is_exact = not await stats.exceeds(snapshot, since, MAX_EXACT)
            if is_exact:
                ended = await stats.ended_since(snapshot, since, caller.bound)
            else:
                since = hour_of(since)
                ended = await hour_stats.ended_since(snapshot, since, now, caller.bound)
            series = None if step is None else await hour_stats.series(snapshot, since, now, step, caller.bound)
            backlog = await figures.read_backlog(snapshot, caller.bound)
            found = await workers.all_workers(snapshot)
        read = _stats(ended, self._standing(backlog, found, now), since, now)
        return replace(read, is_exact=is_exact, series=series)

    async def series(self, caller: Caller, window: timedelta, step: timedelta) -> tuple[Step, ...]:
        """Return only the steps of a window; see `read`."""
        caller.require(Scope.READ)
        _check_step(window, step)
        now = self._clock.now()
        async with self._database.snapshot() as snapshot:
            return await hour_stats.series(snapshot, now - window, now, step, caller.bound)

    async def of_job(self, caller: Caller, job_id: int, window: timedelta) -> JobStats:
        """Return figures about the runs of a job. Raise `NotFoundError` for an unknown job."""
        caller.require(Scope.READ)
        now = self._clock.now()
        async with self._database.snapshot() as snapshot:
            await check_history(snapshot, caller, job_id)
            ended, is_cut = await stats.ended_of_job(snapshot, job_id, now - window)
        return JobStats(now - window, now, ended, is_cut)

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
    return Stats(
        since=since,
        until=until,
        outcomes=ended.outcomes,
        duration_seconds=ended.duration_seconds,
        lateness_seconds=ended.lateness_seconds,
        executed=ended.executed,
        executed_per_minute=ended.executed / ((until - since).total_seconds() / 60),
        success_rate=ended.success_rate,
        standing=standing,
    )


def _check_step(window: timedelta, step: timedelta | None) -> None:
    if step is None:
        return
    if window / step > MAX_STEPS:
        remedy = f"must leave at most {MAX_STEPS} steps; choose a longer step or a shorter window"
        raise InvalidInputError(FieldProblem("step", remedy))
    if step % HOUR and window > FINE_WINDOW:
        raise InvalidInputError(FieldProblem("step", "must be in hours or days for windows of more than 3 hours"))
