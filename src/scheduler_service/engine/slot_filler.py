"""A worker, which fills its slots with runs from notices and from the database.

Theory of operation. A run reaches a slot in two ways: Celery calls `execute` for a notice, or `fill` finds it in the
database. Both go through the same claim, so a run that comes both ways is executed once. `fill` skips runs with a
recent notice, and polls every POLL_SECONDS. A lost notice therefore delays a run by about a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.loop import WakeEvent
from scheduler_service.engine.slots import Slots
from scheduler_service.engine.worker_session import WorkerSession
from scheduler_service.storage import runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class SlotFiller:
    """Executes up to `session.slots` runs at once: those passed to `execute`, and those that `fill` finds.

    `fill` queries the database when the wake event is set, when a run that it started has ended, and every
    POLL_SECONDS.
    """

    def __init__(  # noqa: PLR0913 (all but five have defaults)
        self,
        database: Database,
        clock: Clock,
        session: WorkerSession,
        executor: Executor,
        wake_event: WakeEvent,
        *,
        routing: Routing = EVERYTHING,
        notice_seconds: float = 0.0,
        refusal: Callable[[], str | None] = lambda: None,
        slots: Slots | None = None,
    ) -> None:
        """Leave a run to the worker that gets its notice for `notice_seconds`. Set `wake_event` to query the database.

        `refusal` returns why no job can run on this host until it is changed, or None. `slots` are those of the
        session, which runs may lend.
        """
        self.refusal = refusal
        self._database = database
        self._clock = clock
        self._session = session
        self._executor = executor
        self._wake_event = wake_event
        self._routing = routing
        self._notice_delay = timedelta(seconds=notice_seconds)
        self._slots = slots or Slots(session.slots)
        # Includes the runs that wait for a slot, since each of them will get one.
        self._busy: dict[tuple[int, int], asyncio.Task[bool]] = {}

    async def fill(self) -> float:
        """Start a run in each free slot, and return the seconds until the next query."""
        free = self._session.slots + self._slots.lent - len(self._busy)
        if free > 0 and self._session.is_ready:
            # The query can return runs that were just started and are not claimed yet.
            waiting = await self._find_claimable(free + len(self._busy))
            for key in [key for key in waiting if key not in self._busy][:free]:
                self._start(key).add_done_callback(lambda _: self._wake_event.set())
        return POLL_SECONDS

    async def execute(self, run_id: int, attempt: int) -> bool:
        """Execute the run of a notice as soon as a slot is free.

        Return False if it cannot be claimed; see `Executor.execute`.

        If `fill` has already started this run, wait for its end.
        """
        key = (run_id, attempt)
        return await (self._busy.get(key) or self._start(key))

    def stop_claiming(self) -> None:
        """Stop claims. Runs in progress continue."""
        self._session.drain()

    async def drain(self, seconds: float) -> None:
        """Stop claims, wait up to `seconds` for runs in progress, and requeue the rest."""
        self.stop_claiming()
        if self._busy:
            log.info("drain_started", running=len(self._busy), seconds=seconds)
            await asyncio.wait(self._busy.values(), timeout=seconds)
        self._session.interrupt_all()
        if self._busy:
            await asyncio.wait(self._busy.values())

    async def _find_claimable(self, limit: int) -> list[tuple[int, int]]:
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
        async with self._slots.entered():
            return self._session.is_ready and await self._executor.execute(run_id, attempt)

    def _end(self, key: tuple[int, int], task: asyncio.Task[bool]) -> None:
        del self._busy[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("slot_task_failed", run_id=key[0], exc_info=error)
