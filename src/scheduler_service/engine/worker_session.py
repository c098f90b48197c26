"""A node: one process that executes runs, as the others see it. Identity, heartbeat, cancels, fencing."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from scheduler_service.domain.run_state import Reason, WorkerState
from scheduler_service.errors import UnavailableError
from scheduler_service.storage import rescues, transitions, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease

# Of worker_dead_seconds: a node that cannot show that it lives stops its runs well before others may take them.
FENCE_SHARE = 0.6
# Likewise, of what its runs may go on for without a word of it: a node that stands still cannot stop them.
LEASE_SHARE = 0.9

log = structlog.get_logger(__name__)


class AttemptHandle:
    """One attempt that this node executes; `wait` ends when it is to be stopped."""

    def __init__(self, lease: Lease) -> None:
        """Begin with nobody wanting it stopped."""
        self.lease = lease
        self.cancel_reason: Reason | None = None
        self._stopped = asyncio.Event()

    def cancel(self, reason: Reason) -> None:
        """Ask for its end because somebody does not want it any more; only the first asking counts."""
        if not self._stopped.is_set():
            self.cancel_reason = reason
            self._stopped.set()

    def give_up(self) -> None:
        """Ask for its end because this node cannot go on with it; another worker is to begin anew."""
        self._stopped.set()

    @property
    def is_given_up(self) -> bool:
        """Whether it was stopped for another worker to begin anew."""
        return self._stopped.is_set() and self.cancel_reason is None

    async def wait(self) -> None:
        """Return once the attempt is to be stopped."""
        await self._stopped.wait()


@dataclass(frozen=True, slots=True)
class WorkerTerms:
    """How many runs a worker executes at once, how often it beats, and after how long a silence it counts as dead."""

    slots: int
    heartbeat_seconds: float
    worker_dead_seconds: float


class WorkerSession:
    """This process among the workers."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        terms: WorkerTerms,
        *,
        sandbox_level: Callable[[], str | None] = lambda: None,
        on_alive: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sandbox_level` returns the level that runs have now, if any.

        `on_alive` is called each time that this worker has shown that it lives.
        """
        self._database = database
        self._clock = clock
        self.slots = terms.slots
        self._sandbox_level = sandbox_level
        self._heartbeat_seconds = terms.heartbeat_seconds
        self._fence_seconds = terms.worker_dead_seconds * FENCE_SHARE
        self._attempts: dict[Lease, AttemptHandle] = {}
        self._unattended: set[Lease] = set()
        self._claiming: Counter[int] = Counter()
        self._on_alive = on_alive
        self._monotonic = monotonic
        self._shown_alive_at = monotonic()
        self.state = WorkerState.ALIVE
        # Why nothing is claimed though the node lives, see `fitness`.
        self.unfit_reason: str | None = None
        self.id = _new_id()

    async def register(self) -> None:
        """Become known to the others; from then on `beat` must be called, or they take this node for dead."""
        now = self._clock.now()
        async with self._database.write() as connection:
            await workers.register(
                connection,
                self.id,
                host=socket.gethostname(),
                pid=os.getpid(),
                slots=self.slots,
                sandbox_level=self._sandbox_level(),
                unfit_reason=self.unfit_reason,
                now=now,
            )
        self._shown_alive_at = self._monotonic()
        log.info("worker_registered", worker=self.id, slots=self.slots)

    async def beat(self) -> float:
        """Show that the node lives, learn what is to be cancelled, and return the seconds until the next beat.

        A node that could not show it for too long, or that was declared dead, stops all that it runs: others are free
        to take it, and two attempts must never overlap.
        """
        before = self._monotonic()
        try:
            held = await self._exchange()
        except UnavailableError:
            if self._monotonic() - self._shown_alive_at > self._fence_seconds:
                self.give_up_all()
            raise
        if held is None:
            await self._begin_again()
            return self._heartbeat_seconds
        self._shown_alive_at = before
        self._on_alive()
        for lease, reason in held.items():
            if reason is not None and lease in self._attempts:
                self._attempts[lease].cancel(reason)
        unattended = held.keys() - self._attempts.keys()
        await self._put_back_orphans({lease for lease in unattended if lease.run_id not in self._claiming})
        return self._heartbeat_seconds

    @property
    def takes_runs(self) -> bool:
        """Whether this node may claim."""
        return self.state is WorkerState.ALIVE and self.unfit_reason is None

    @contextmanager
    def claiming(self, run_id: int) -> Iterator[None]:
        """Leave a run alone that is being claimed; `_put_back_orphans` would take it for one."""
        self._claiming[run_id] += 1
        try:
            yield
        finally:
            self._claiming[run_id] -= 1
            if not self._claiming[run_id]:
                del self._claiming[run_id]

    def attend(self, lease: Lease) -> AttemptHandle:
        """Take note of an attempt that begins here."""
        handle = self._attempts[lease] = AttemptHandle(lease)
        return handle

    def leave(self, handle: AttemptHandle) -> None:
        """Forget an attempt that ended."""
        self._attempts.pop(handle.lease, None)

    def drain(self) -> None:
        """Claim nothing more; what runs goes on."""
        self.state = WorkerState.DRAINING

    def give_up_all(self) -> None:
        """Stop all that runs, for other workers to begin anew."""
        for handle in self._attempts.values():
            handle.give_up()

    async def retire(self) -> None:
        """Leave the workers. A run that this node still holds, as an answer was lost, goes back to the queue."""
        async with self._database.write() as connection:
            await workers.retire(connection, self.id)
            await rescues.rescue_from(connection, self.id, self._clock.now())
            await workers.forget(connection, self.id)

    async def _exchange(self) -> dict[Lease, Reason | None] | None:
        """Beat, and return what the database thinks this node holds; None: it thinks that the node is dead."""
        async with self._database.write() as connection:
            alive = await workers.beat(
                connection,
                self.id,
                state=self.state,
                busy=len(self._attempts),
                sandbox_level=self._sandbox_level(),
                unfit_reason=self.unfit_reason,
                now=self._clock.now(),
            )
            return await transitions.held_by(connection, self.id) if alive else None

    async def _put_back_orphans(self, unattended: set[Lease]) -> None:
        """Put back what nobody here executes: its claim was committed, but the answer was lost with the connection.

        Only what two beats in a row found so: a claim may have been committed between a beat and its answer.
        """
        for lease in unattended & self._unattended:
            now = self._clock.now()
            async with self._database.write() as connection:
                await rescues.put_back(connection, lease, "the answer to its claim was lost", now, now)
            log.warning("orphan_put_back", run_id=lease.run_id, attempt=lease.attempt)
        self._unattended = unattended

    async def _begin_again(self) -> None:
        log.warning("worker_was_declared_dead", worker=self.id)
        self.give_up_all()
        self.id = _new_id()
        await self.register()


def _new_id() -> str:
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
