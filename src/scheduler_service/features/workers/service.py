"""Shows workers, and drains them."""

from __future__ import annotations

from datetime import datetime

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.records import Worker
from scheduler_service.errors import NotFoundError
from scheduler_service.features.workers import store
from scheduler_service.features.workers.records import WorkerRun, WorkerView
from scheduler_service.services.audit import Target, record
from scheduler_service.services.liveness import Liveness, liveness
from scheduler_service.storage import workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


class WorkerService:
    """Shows workers to every caller. Only an administrator can drain one, because workers serve all owners."""

    def __init__(self, database: Database, clock: Clock, *, heartbeat_seconds: float) -> None:
        """Expect a heartbeat every `heartbeat_seconds`."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds

    async def all(self, caller: Caller) -> list[WorkerView]:
        """Return all workers, also those that died within the last hour, with the runs of the caller's owner."""
        caller.require(Scope.READ)
        async with self._database.snapshot() as snapshot:
            found = await workers.all_workers(snapshot)
            running = await store.running(snapshot, caller.bound)
        now = self._clock.now()
        return [self._view(worker, running.get(worker.id, []), now) for worker in found]

    async def get(self, caller: Caller, worker_id: str) -> WorkerView:
        """Return one worker. Raise `NotFoundError` for an unknown one."""
        for view in await self.all(caller):
            if view.worker.id == worker_id:
                return view
        raise _unknown(worker_id)

    async def drain(self, caller: Caller, worker_id: str) -> WorkerView:
        """Request that a worker takes no more runs. It finishes those that it executes.

        Raise `NotFoundError` for an unknown or dead worker.
        """
        caller.require(Scope.ADMIN)
        now = self._clock.now()
        async with self._database.write() as connection:
            if not await store.request_drain(connection, worker_id, now):
                raise _unknown(worker_id)
            await record(connection, caller, "drainWorker", Target(f"workers/{worker_id}", None), now)
        return await self.get(caller, worker_id)

    def _view(self, worker: Worker, running: list[WorkerRun], now: datetime) -> WorkerView:
        state = liveness(worker, now, self._heartbeat_seconds)
        if state is Liveness.ALIVE and worker.drain_requested_at is not None:
            state = Liveness.DRAINING  # its next heartbeat tells it
        age_seconds = max(0.0, (now - worker.seen_at).total_seconds())
        return WorkerView(worker, state, round(age_seconds, 3), tuple(running))


def _unknown(worker_id: str) -> NotFoundError:
    return NotFoundError(f"there is no live worker {worker_id!r}; GET /workers lists them")
