"""A worker: fills its slots with runs, whether a ring or a look at the database told of them."""

from __future__ import annotations

import asyncio

import structlog

from scheduler_service.domain.run_state import WorkerState
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.loop import Bell
from scheduler_service.engine.node import Node
from scheduler_service.storage import runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Worker:
    """Executes up to `node.slots` runs at once.

    It looks at the database whenever its bell rings, whenever a slot falls free, and every POLL_SECONDS in any case:
    a lost ring costs that much lateness and nothing else.
    """

    def __init__(self, database: Database, clock: Clock, node: Node, executor: Executor, bell: Bell) -> None:
        """Ring `bell` to make it look."""
        self._database = database
        self._clock = clock
        self._node = node
        self._executor = executor
        self._bell = bell
        self._busy: dict[tuple[int, int], asyncio.Task[bool]] = {}

    async def fill(self) -> float:
        """Start a run in each free slot, as far as there are any, and give the seconds until the next look."""
        free = self._node.slots - len(self._busy)
        if free > 0 and self._node.state is WorkerState.ALIVE:
            async with self._database.read() as connection:
                # Those that were started a moment ago may not have been claimed yet, and are seen again.
                waiting = await runs.claimable(connection, self._clock.now(), free + len(self._busy))
            for key in [key for key in waiting if key not in self._busy][:free]:
                self._start(*key)
        return POLL_SECONDS

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, let what runs end within `seconds`, and hand back the rest."""
        self._node.drain()
        if self._busy:
            log.info("draining", running=len(self._busy), seconds=seconds)
            await asyncio.wait(self._busy.values(), timeout=seconds)
        self._node.give_up_all()
        if self._busy:
            await asyncio.wait(self._busy.values())

    def _start(self, run_id: int, attempt: int) -> None:
        key = (run_id, attempt)
        self._busy[key] = task = asyncio.create_task(self._executor.execute(*key))
        task.add_done_callback(lambda task: self._end(key, task))

    def _end(self, key: tuple[int, int], task: asyncio.Task[bool]) -> None:
        del self._busy[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("execution_failed", run_id=key[0], exc_info=error)
        self._bell.ring()
