"""Rescues the runs of dead workers.

Theory of operation. Each dispatcher watches the heartbeat counters of all workers on its own monotonic clock. A worker
whose counter has not changed for `worker_dead_seconds` is dead. Wall clocks of different machines are never compared,
and the duration of a run does not matter. The worker itself stops its runs earlier: after a share (FENCE_SHARE) of that
time without a successful heartbeat. Attempts therefore do not overlap.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from scheduler_service.domain.records import Worker
from scheduler_service.engine.listener import RescueListener
from scheduler_service.storage import rescues, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

log = structlog.get_logger(__name__)


class Rescuer:
    """Watches the heartbeats of the workers, and rescues the runs of dead ones."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        worker_dead_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        listener: RescueListener | None = None,
    ) -> None:
        """Start without knowledge: a worker without heartbeats gets the full `worker_dead_seconds` from now on.

        `listener` receives the attempts that are ended.
        """
        self._database = database
        self._clock = clock
        self._worker_dead_seconds = worker_dead_seconds
        self._monotonic = monotonic
        self._listener = listener
        self._moved: dict[str, tuple[int, float]] = {}

    async def check_workers(self) -> float:
        """Check every worker once and rescue the runs of dead ones. Return the seconds until the next check."""
        async with self._database.read() as connection:
            living = await workers.living(connection)
        stalled = [worker for worker in living if self._is_stalled(worker)]
        self._moved = {worker.id: self._moved[worker.id] for worker in living}
        for worker in stalled:
            await self.mark_dead(worker)
        return self._worker_dead_seconds / 4

    async def mark_dead(self, worker: Worker) -> None:
        """Mark a worker as dead and requeue its runs in one transaction, unless its heartbeat has changed."""
        now = self._clock.now()
        async with self._database.write() as connection:
            if not await workers.mark_dead(connection, worker):
                return
            lost = await rescues.rescue_from(connection, worker.id, now)
        log.warning("worker_lost", worker=worker.id, rescued=len(lost))
        if self._listener is not None:
            self._listener.attempts_lost(worker, lost)

    def _is_stalled(self, worker: Worker) -> bool:
        beats, since = self._moved.get(worker.id, (-1, 0.0))
        if beats != worker.beats:
            self._moved[worker.id] = (worker.beats, self._monotonic())
            return False
        return self._monotonic() - since > self._worker_dead_seconds
