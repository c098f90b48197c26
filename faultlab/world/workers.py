"""The workers of a world: real claims, heartbeats and settlements; only the code of the jobs is simulated."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass

from testkit.doubles import FakeClock, Stopwatch

from faultlab.world.database import WorldDatabase
from faultlab.world.definitions import happens
from scheduler_service.domain.routing import EVERYTHING
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.attempt_end import Interruption
from scheduler_service.engine.claimer import Claimer
from scheduler_service.engine.log_writer import LeaseLostError
from scheduler_service.engine.settlement import Settlement
from scheduler_service.engine.worker_session import LEASE_SHARE, AttemptHandle, WorkerOptions, WorkerSession
from scheduler_service.errors import UnavailableError
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.transitions import AttemptEnd

SLOTS = 2
DEAD_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0


@dataclass(eq=False, slots=True)
class Attempt:
    """Code that executes. `is_over` means that the sandbox has killed it, although nobody has settled it yet."""

    claimed: Claimed
    handle: AttemptHandle
    is_over: bool = False


class SimulatedWorker:
    """A worker process that executes code until the world says how it ends."""

    def __init__(self, number: int, database: WorldDatabase, clock: FakeClock, stopwatch: Stopwatch) -> None:
        """Prepare a process that has not registered yet."""
        options = WorkerOptions(SLOTS, HEARTBEAT_SECONDS, DEAD_SECONDS)
        self.session = WorkerSession(database, clock, options, monotonic=stopwatch, on_alive=self._note_beat)
        self.number = number
        self._claimer = Claimer(database, clock, self.session, EVERYTHING)
        self._settlement = Settlement(database, clock)
        self._stopwatch = stopwatch
        self._beat_at = stopwatch()
        self.attempts: list[Attempt] = []
        self.settled: list[tuple[Claimed, AttemptEnd]] = []

    async def begin(self) -> None:
        """Register the process."""
        await self.session.register()
        self._note_beat()

    async def claim(self) -> None:
        """Claim runs for the free slots, and begin them."""
        free = SLOTS - len(self.attempts)
        if self.session.is_ready and free > 0:
            self.attempts += [Attempt(*each) for each in await self._claimer.claim(free)]

    async def beat(self) -> None:
        """Send a heartbeat. The loop of the worker repeats it if the database does not answer."""
        with suppress(UnavailableError):
            await self.session.beat()

    async def end_one(self, chooser: random.Random) -> None:
        """End an attempt: as its code ends, or as the session has asked for."""
        if self.attempts:
            await self._end(chooser.choice(self.attempts), chooser)

    async def stop(self, chooser: random.Random) -> None:
        """Stop the process in order: its runs go back to the queue."""
        self.session.drain()
        self.session.interrupt_all()
        for attempt in list(self.attempts):
            await self._end(attempt, chooser)
        await self.session.retire()

    def executing(self) -> list[int]:
        """Return the runs whose code executes. The sandbox kills it if the session has been silent for too long."""
        if self._stopwatch() - self._beat_at > DEAD_SECONDS * LEASE_SHARE:
            for attempt in self.attempts:
                attempt.is_over = True
        return [each.claimed.run.id for each in self.attempts if not each.is_over]

    async def _end(self, attempt: Attempt, chooser: random.Random) -> None:
        claimed, report = attempt.claimed, _report(attempt, chooser)
        attempt.is_over = True
        try:
            await self._settlement.settle(claimed, report, LogPiece())
        except LeaseLostError:
            await self._settlement.note_fenced(claimed)
        else:
            if isinstance(report, AttemptEnd):
                self.settled.append((claimed, report))
        self.session.untrack(attempt.handle)
        self.attempts.remove(attempt)

    def _note_beat(self) -> None:
        self._beat_at = self._stopwatch()


def _report(attempt: Attempt, chooser: random.Random) -> AttemptEnd | Interruption:
    handle = attempt.handle
    if handle.is_interrupted:
        return Interruption("its worker was stopped", is_shutdown=True)
    if handle.cancel_reason is not None and happens(chooser, 0.8):
        return AttemptEnd(status=RunStatus.CANCELLED, reason=handle.cancel_reason)
    (kind,) = chooser.choices(("success", "failure", "fault", "unbegun"), (60, 30, 5, 5))
    if kind == "success":
        result = {"run": attempt.claimed.run.id}
        return AttemptEnd(status=RunStatus.SUCCESS, exit_code=0, result=result, last_result=result)
    if kind == "failure":
        return AttemptEnd(status=RunStatus.FAILED, reason=Reason.EXIT_CODE, exit_code=1)
    return Interruption("the host failed", began=kind == "fault")
