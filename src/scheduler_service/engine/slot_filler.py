"""A worker, which fills its slots with runs from the database.

Theory of operation. Only the database says what is due. A worker claims a run for each free slot when it is woken, when
a run has ended, and every POLL_SECONDS. A notice only wakes it, so a lost notice delays a run by a second at most, and
workers that are busy need no notices at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from scheduler_service.engine.claimer import Claimer
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.loop import WakeEvent
from scheduler_service.engine.slots import Slots
from scheduler_service.engine.worker_session import AttemptHandle, WorkerSession
from scheduler_service.storage.claims import Claimed

POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class SlotFiller:
    """Executes up to `session.slots` runs at once."""

    def __init__(
        self,
        session: WorkerSession,
        claimer: Claimer,
        executor: Executor,
        wake_event: WakeEvent,
        *,
        refusal: Callable[[], str | None] = lambda: None,
        slots: Slots | None = None,
    ) -> None:
        """Claim runs when `wake_event` is set.

        `refusal` returns why no job can run on this host until it is changed, or None. `slots` are those of the
        session, which runs may lend.
        """
        self.refusal = refusal
        self._session = session
        self._claimer = claimer
        self._executor = executor
        self._wake_event = wake_event
        self._slots = slots or Slots(session.slots)
        self._busy: set[asyncio.Task[None]] = set()
        self._run_ended = asyncio.Event()

    async def fill(self) -> float:
        """Claim and start runs until no slot is free or none is due. Return the seconds until the next look."""
        while self._session.is_ready and self._free > 0:
            claimed = await self._claimer.claim(self._free)
            for run, handle in claimed:
                self._start(run, handle)
            if not claimed:
                break
            await asyncio.sleep(0)  # their orders go out before the next look
        return POLL_SECONDS

    async def take_notice(self) -> None:
        """Wake the worker, and return when a slot is free.

        A worker without a free slot thereby leaves further notices to others.
        """
        self._wake_event.set()
        while self._free <= 0:
            self._run_ended.clear()
            await self._run_ended.wait()

    def stop_claiming(self) -> None:
        """Stop claims. Runs in progress continue."""
        self._session.drain()

    async def drain(self, seconds: float) -> None:
        """Stop claims, wait up to `seconds` for runs in progress, and requeue the rest."""
        self.stop_claiming()
        if self._busy:
            log.info("drain_started", running=len(self._busy), seconds=seconds)
            await asyncio.wait(self._busy, timeout=seconds)
        self._session.interrupt_all()
        if self._busy:
            await asyncio.wait(self._busy)

    @property
    def _free(self) -> int:
        return self._session.slots + self._slots.lent - len(self._busy)

    def _start(self, claimed: Claimed, handle: AttemptHandle) -> None:
        task = asyncio.create_task(self._execute_in_a_slot(claimed, handle))
        self._busy.add(task)
        task.add_done_callback(lambda task: self._end(claimed, task))

    async def _execute_in_a_slot(self, claimed: Claimed, handle: AttemptHandle) -> None:
        async with self._slots.entered():
            await self._executor.execute(claimed, handle)

    def _end(self, claimed: Claimed, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._run_ended.set()
        self._wake_event.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("slot_task_failed", run_id=claimed.run.id, exc_info=error)
