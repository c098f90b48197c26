"""Rescue: what a dead worker ran goes back to the queue."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from scheduler_service.domain.records import Worker
from scheduler_service.storage import rescues, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

log = structlog.get_logger(__name__)


class Rescuer:
    """Watches the workers' heartbeats.

    A worker is dead when its counter has not moved for `worker_dead_seconds` of this observer's monotonic clock. Wall
    clocks of different machines are never compared, and how long a run takes says nothing.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        worker_dead_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know no worker yet: one that is silent already has the full time from now on."""
        self._database = database
        self._clock = clock
        self._worker_dead_seconds = worker_dead_seconds
        self._monotonic = monotonic
        self._moved: dict[str, tuple[int, float]] = {}

    async def look(self) -> float:
        """Check every worker once and rescue the runs of dead ones. Return the seconds until the next check."""
        async with self._database.read() as connection:
            living = await workers.living(connection)
        silent = [worker for worker in living if self._is_silent(worker)]
        self._moved = {worker.id: self._moved[worker.id] for worker in living}
        for worker in silent:
            await self.mark_dead(worker)
        return self._worker_dead_seconds / 4

    async def mark_dead(self, worker: Worker) -> None:
        """Declare a worker dead and take its runs from it, in one transaction, unless it has moved meanwhile."""
        now = self._clock.now()
        async with self._database.write() as connection:
            if not await workers.declare_dead(connection, worker):
                return
            rescued = await rescues.rescue_from(connection, worker.id, now)
        log.warning("worker_lost", worker=worker.id, rescued=rescued)

    def _is_silent(self, worker: Worker) -> bool:
        beats, since = self._moved.get(worker.id, (-1, 0.0))
        if beats != worker.beats:
            self._moved[worker.id] = (worker.beats, self._monotonic())
            return False
        return self._monotonic() - since > self._worker_dead_seconds
