"""A worker: fills its slots with runs, whether a ring or a look at the database told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.loop import WakeEvent
from scheduler_service.engine.worker_session import WorkerSession
from scheduler_service.storage import runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Worker:
    """Executes up to `node.slots` runs at once: those that `execute` is called for, and those that `fill` finds.

    It looks at the database when its wake event is set, when a slot falls free that a look had filled, and every
    POLL_SECONDS in any case: a lost notice costs that much lateness and nothing else.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        node: WorkerSession,
        executor: Executor,
        wake_event: WakeEvent,
        *,
        routing: Routing = EVERYTHING,
        notice_seconds: float = 0.0,
        refusal: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Set `wake_event` to make it look. A run is left to the worker that gets its notice for `notice_seconds`.

        `refusal` returns why no job can run here until the host is changed, if that is so.
        """
        self.refusal = refusal
        self._database = database
        self._clock = clock
        self._node = node
        self._executor = executor
        self._wake_event = wake_event
        self._routing = routing
        self._notice_delay = timedelta(seconds=notice_seconds)
        self._free_slots = asyncio.Semaphore(node.slots)
        # Includes the runs that wait for a slot, since each of them will get one.
        self._busy: dict[tuple[int, int], asyncio.Task[bool]] = {}

    async def fill(self) -> float:
        """Start a run in each free slot, as far as there are any, and return the seconds until the next look."""
        free = self._node.slots - len(self._busy)
        if free > 0 and self._node.takes_runs:
            # Those that were started a moment ago may not have been claimed yet, and are seen again.
            waiting = await self._look(free + len(self._busy))
            for key in [key for key in waiting if key not in self._busy][:free]:
                self._start(key).add_done_callback(lambda _: self._wake_event.set())
        return POLL_SECONDS

    async def execute(self, run_id: int, attempt: int) -> bool:
        """Execute a run that a ring told of, once a slot is free; False: it is not to be had, see `Executor.execute`.

        If it runs here already, since a look was quicker than its ring, wait for it.
        """
        key = (run_id, attempt)
        return await (self._busy.get(key) or self._start(key))

    def stop_claiming(self) -> None:
        """Leave what waits to other workers; what runs goes on."""
        self._node.drain()

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, let what runs end within `seconds`, and hand back the rest."""
        self.stop_claiming()
        if self._busy:
            log.info("draining", running=len(self._busy), seconds=seconds)
            await asyncio.wait(self._busy.values(), timeout=seconds)
        self._node.give_up_all()
        if self._busy:
            await asyncio.wait(self._busy.values())

    async def _look(self, limit: int) -> list[tuple[int, int]]:
        now = self._clock.now()
        async with self._database.read() as connection:
            return await runs.claimable(
                connection, now, limit, notified_before=now - self._notice_delay, routing=self._routing
            )

    def _start(self, key: tuple[int, int]) -> asyncio.Task[bool]:
        self._busy[key] = task = asyncio.create_task(self._execute_in_a_slot(*key))
        task.add_done_callback(lambda task: self._end(key, task))
        return task

    async def _execute_in_a_slot(self, run_id: int, attempt: int) -> bool:
        async with self._free_slots:
            return self._node.takes_runs and await self._executor.execute(run_id, attempt)

    def _end(self, key: tuple[int, int], task: asyncio.Task[bool]) -> None:
        del self._busy[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("execution_failed", run_id=key[0], exc_info=error)
