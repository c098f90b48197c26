"""The session of a worker process: its identity, heartbeats, cancel requests and fencing.

Theory of operation. A heartbeat increments the worker's counter and returns the leases that the database assigns to it,
with requested cancels. The session compares them with the attempts that it executes:

- an attempt with a requested cancel is stopped;
- a lease without an attempt is an orphan: its claim was committed, but the answer was lost. It is requeued;
- if heartbeats fail for FENCE_SHARE of `worker_dead_seconds`, all attempts are stopped, because other workers may
  soon take the runs. If the process hangs, the sandbox kills them after LEASE_SHARE of that time.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
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
from scheduler_service.storage.logs import LogPiece

# Share of worker_dead_seconds. Without a successful heartbeat for that long, the session stops its runs, well before
# other workers may take them.
FENCE_SHARE = 0.6
# A worker that has claimed nothing reads its leases once in this many heartbeats.
IDLE_BEATS = 10
# Share of worker_dead_seconds after which the sandbox kills runs whose lease is not renewed, because a hanging process
# cannot stop them.
LEASE_SHARE = 0.9

log = structlog.get_logger(__name__)


class AttemptHandle:
    """One attempt of this worker. `wait` returns when the attempt must stop."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.cancel_reason: Reason | None = None
        # The end of the attempt's log, which is written with the run's next state.
        self.rest = LogPiece()
        self._stopped = asyncio.Event()

    def cancel(self, reason: Reason) -> None:
        """Stop the attempt on a user's request. Only the first call has an effect."""
        if not self._stopped.is_set():
            self.cancel_reason = reason
            self._stopped.set()

    def interrupt(self) -> None:
        """Stop the attempt because this worker cannot continue it. The run is requeued."""
        self._stopped.set()

    @property
    def is_interrupted(self) -> bool:
        """Return whether the attempt was stopped to be requeued."""
        return self._stopped.is_set() and self.cancel_reason is None

    async def wait(self) -> None:
        """Return when the attempt must stop."""
        await self._stopped.wait()


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How many runs a worker executes at once, when it sends heartbeats, and which grants it can open.

    Other processes declare it dead after `worker_dead_seconds` without a heartbeat. Celery monitors show it as
    `monitor_name`.
    """

    slots: int
    heartbeat_seconds: float
    worker_dead_seconds: float
    grants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    monitor_name: str | None = None


class WorkerSession:
    """This process in the workers table."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        options: WorkerOptions,
        *,
        sandbox_level: Callable[[], str | None] = lambda: None,
        on_alive: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Execute up to `slots` runs at once. `sandbox_level` returns the current isolation level, or None.

        `on_alive` is called after each successful heartbeat.
        """
        self._database = database
        self._clock = clock
        self.slots = options.slots
        self._grants = options.grants
        self._tags = options.tags
        self._monitor_name = options.monitor_name
        self._sandbox_level = sandbox_level
        self._heartbeat_seconds = options.heartbeat_seconds
        self._fence_seconds = options.worker_dead_seconds * FENCE_SHARE
        self._attempts: dict[Lease, AttemptHandle] = {}
        self._untracked: set[Lease] = set()
        # The claim in progress, now and at the last heartbeat.
        self._claim: object | None = None
        self._claim_of_last_beat: object | None = None
        self._on_alive = on_alive
        self._monotonic = monotonic
        self._last_beat_at = monotonic()
        self._idle_beats = 0
        self._may_hold = True
        self.state = WorkerState.ALIVE
        # Why the worker claims nothing although it is alive; see `fitness`.
        self.unfit_reason: str | None = None
        self.id = _new_id()

    async def register(self) -> None:
        """Store this worker. From then on `beat` must be called regularly, or other processes declare it dead."""
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
                grants=self._grants,
                tags=self._tags,
                monitor_name=self._monitor_name,
                now=now,
            )
        self._last_beat_at = self._monotonic()
        log.info("worker_registered", worker=self.id, slots=self.slots)

    async def beat(self) -> float:
        """Send a heartbeat, stop cancelled attempts, and return the seconds until the next heartbeat.

        If heartbeats have failed for too long, or the worker was declared dead, all attempts are stopped. Other workers
        may take these runs, and two attempts must never overlap.
        """
        before = self._monotonic()
        try:
            held = await self._exchange()
        except UnavailableError:
            if self._monotonic() - self._last_beat_at > self._fence_seconds:
                self.interrupt_all()
            raise
        if held is None:
            await self._restart()
            return self._heartbeat_seconds
        self._last_beat_at = before
        self._on_alive()
        for lease, reason in held.items():
            if reason is not None and lease in self._attempts:
                self._attempts[lease].cancel(reason)
        await self._requeue_orphans(held.keys() - self._attempts.keys())
        return self._heartbeat_seconds

    @property
    def is_ready(self) -> bool:
        """Return whether this worker claims runs: it is alive, and its sandbox works."""
        return self.state is WorkerState.ALIVE and self.unfit_reason is None

    @contextmanager
    def claiming(self) -> Iterator[None]:
        """Mark a claim, whose runs are no orphans until the end of the block. The block tracks them."""
        self._claim = object()
        try:
            yield
        finally:
            self._claim = None

    def note_lost_answer(self) -> None:
        """Make heartbeats look for leases without an attempt: a claim may have been committed without an answer."""
        self._may_hold = True

    @property
    def tracked(self) -> frozenset[Lease]:
        """Return the attempts that are executed here now."""
        return frozenset(self._attempts)

    def track(self, lease: Lease) -> AttemptHandle:
        """Add an attempt that starts here."""
        handle = self._attempts[lease] = AttemptHandle(lease)
        return handle

    def untrack(self, handle: AttemptHandle) -> None:
        """Remove an attempt that has ended."""
        self._attempts.pop(handle.lease, None)

    def drain(self) -> None:
        """Stop claims. Runs in progress continue."""
        self.state = WorkerState.DRAINING

    def interrupt_all(self) -> None:
        """Stop all attempts, so that their runs are requeued."""
        for handle in self._attempts.values():
            handle.interrupt()

    async def retire(self) -> None:
        """Remove this worker. Runs that it still holds because of a lost answer are requeued."""
        async with self._database.write() as connection:
            await workers.retire(connection, self.id)
            await rescues.rescue_from(connection, self.id, self._clock.now())
            await workers.forget(connection, self.id)

    async def _exchange(self) -> dict[Lease, Reason | None] | None:
        """Send a heartbeat, and return the leases that this worker holds, or None if it was declared dead.

        A worker without attempts reads them only sometimes, to find a lease whose claim lost its answer.
        """
        async with self._database.write_once() as connection:
            state = await workers.beat(
                connection,
                self.id,
                state=self.state,
                busy=len(self._attempts),
                sandbox_level=self._sandbox_level(),
                unfit_reason=self.unfit_reason,
                now=self._clock.now(),
            )
            if state is WorkerState.DEAD:
                return None
            # A signal may have begun the drain while the heartbeat was on its way; it must not be undone.
            if state is WorkerState.DRAINING:
                self.drain()
            self._idle_beats += 1
            if not (self._may_hold or self._attempts) and self._idle_beats % IDLE_BEATS:
                return {}
            held = await transitions.held_by(connection, self.id)
            self._may_hold = bool(held or self._claim)
            return held

    async def _requeue_orphans(self, untracked: set[Lease]) -> None:
        """Requeue leases without an attempt: their claim was committed, but the answer was lost with the connection.

        A lease must be untracked in two consecutive heartbeats, because a claim can commit between a heartbeat and its
        answer. A claim that goes on since the last heartbeat may still receive its answer.
        """
        goes_on = self._claim is not None and self._claim is self._claim_of_last_beat
        self._claim_of_last_beat = self._claim
        if goes_on:
            return
        for lease in untracked & self._untracked:
            now = self._clock.now()
            async with self._database.write() as connection:
                await rescues.undo_claim(connection, lease, "the answer to its claim was lost", now, now)
            log.warning("run_requeued", run_id=lease.run_id, attempt=lease.attempt)
        self._untracked = untracked

    async def _restart(self) -> None:
        log.warning("worker_restarted", worker=self.id)
        self.interrupt_all()
        self.id = _new_id()
        await self.register()


def _new_id() -> str:
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
