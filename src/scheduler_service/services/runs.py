"""The operations on runs, one transaction each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.listing import Listing, Page, RunFilter
from scheduler_service.domain.outcomes import Outcome
from scheduler_service.domain.records import Attempt, Run
from scheduler_service.domain.run_state import ACTIVE, TERMINAL, Reason, RunStatus, Trigger
from scheduler_service.errors import ConflictError
from scheduler_service.services import idempotency
from scheduler_service.services.audit import Target, record
from scheduler_service.services.queued_runs import notify_workers, queued_row
from scheduler_service.services.quota_gate import UNLIMITED, QuotaGate
from scheduler_service.services.run_rows import existing
from scheduler_service.storage import cancellations, dependencies, jobs, logs, recent, run_lists, runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

TAIL_BYTES = 16 * 1024
FOLLOW_SECONDS = 0.25
SLICE_BYTES = 256 * 1024
"""The size of a log slice, which limits the memory for a log."""
FOLLOWED_BYTES = 64 * 1024
"""The size of a slice for a follower. Hundreds of followers may hold one, and several copies of it, without reading."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its log, or with the end of it (`is_tail`), and the name of its job.

    `expected_seconds` is the median duration of the job's latest successes. None: there are none, or a list shows a run
    that has ended.
    """

    run: Run
    logs: str
    is_tail: bool
    job_name: str
    expected_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with all attempts, and its log up to `next_offset`: all of it, or the first SLICE_BYTES."""

    view: RunView
    attempts: tuple[Attempt, ...]
    next_offset: int

    @property
    def is_whole(self) -> bool:
        """Return whether the log is complete."""
        return self.next_offset >= self.view.run.log_bytes


@dataclass(frozen=True, slots=True)
class LogSlice:
    """A part of a log, the position after it, the run's state, and the current length of the log."""

    data: bytes
    next_offset: int
    status: RunStatus
    log_bytes: int = 0

    @property
    def is_behind(self) -> bool:
        """Return whether more of the log is available. It is not if this slice is empty, because the log was pruned."""
        return bool(self.data) and self.next_offset < self.log_bytes

    @property
    def is_last(self) -> bool:
        """Return whether nothing will follow."""
        return self.status in TERMINAL and not self.is_behind


class RunService:
    """The operations on runs. Each call is one transaction, committed when the call returns."""

    def __init__(self, database: Database, broker: Broker, clock: Clock, quotas: QuotaGate = UNLIMITED) -> None:
        """Notify workers of queued runs through `broker`."""
        self._database = database
        self._broker = broker
        self._clock = clock
        self._quotas = quotas

    async def page(self, caller: Caller, filters: RunFilter, page: Page, *, has_logs: bool = True) -> Listing[RunView]:
        """Return a page of runs, newest first, each with the end of its log, or without it if not `has_logs`."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            listing = await run_lists.page(connection, filters, page, owner_id=caller.bound)
            tails = await logs.tails(connection, listing.items if has_logs else (), TAIL_BYTES)
            names = await recent.job_names(connection, (run.job_id for run in listing.items))
            active = [run.job_id for run in listing.items if run.status in ACTIVE]
            expected = await recent.expected_seconds(connection, active)
        views = [
            RunView(
                run,
                *_end_of_log(run, tails.get(run.id, b"")),
                names[run.job_id],
                expected.get(run.job_id) if run.status in ACTIVE else None,
            )
            for run in listing.items
        ]
        return Listing(tuple(views), listing.total, listing.next)

    async def view(self, run: Run) -> RunView:
        """Return a run that was just stored, without its log."""
        async with self._database.read() as connection:
            return await _view(connection, run, "", is_tail=run.log_bytes > 0)

    async def recent(self, caller: Caller, job_ids: Sequence[int], limit: int) -> Mapping[int, Sequence[Outcome]]:
        """Return the newest rows of each of these jobs that the caller may reach, newest first."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return await recent.outcomes(connection, job_ids, limit, owner_id=caller.bound)

    async def get(self, caller: Caller, run_id: int, *, has_log: bool = True) -> RunDetail:
        """Return a run with the beginning of its log, or without it. Raise `NotFoundError` if there is none."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            run = await existing(connection, caller, run_id)
            log = await logs.read(connection, run_id, 0, SLICE_BYTES) if has_log else b""
            attempts = await runs.find_attempts(connection, run_id)
            view = await _view(connection, run, log.decode("utf-8", "replace"), is_tail=False)
        return RunDetail(view, attempts, len(log))

    async def read_log(self, caller: Caller, run_id: int, offset: int = 0, size: int | None = None) -> LogSlice:
        """Return up to `size` bytes of a run's log from a byte position. Raise `NotFoundError` for an unknown run."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            # Read the status first: a log read after the end of the run is complete.
            run = await existing(connection, caller, run_id)
            data = await logs.read(connection, run_id, offset, min(size or SLICE_BYTES, SLICE_BYTES))
        return LogSlice(data, offset + len(data), run.status, run.log_bytes)

    async def read_pieces(self, caller: Caller, run_id: int, offset: int, end: int) -> AsyncIterator[bytes]:
        """Yield the log between two positions in pieces of SLICE_BYTES. Stop early if it is pruned."""
        caller.require(Scope.READ)
        while offset < end:
            async with self._database.read() as connection:
                if await runs.find(connection, run_id, owner_id=caller.bound) is None:
                    return
                data = await logs.read(connection, run_id, offset, min(SLICE_BYTES, end - offset))
            if not data:
                return
            yield data
            offset += len(data)

    async def follow_log(
        self, caller: Caller, run_id: int, offset: int, stopping: asyncio.Event
    ) -> AsyncIterator[LogSlice]:
        """Yield the log as it grows, with empty slices at intervals, until the run ends or `stopping` is set."""
        while not stopping.is_set():
            part = await self.read_log(caller, run_id, offset, FOLLOWED_BYTES)
            offset = part.next_offset
            yield part
            if part.is_last:
                return
            if part.is_behind:
                continue
            try:
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def cancel(self, caller: Caller, run_id: int) -> Run:
        """Cancel a waiting run, or request that a running one stops. Raise `ConflictError` if it has ended."""
        caller.require(Scope.RUN)
        now = self._clock.now()
        async with self._database.write() as connection:
            old = await existing(connection, caller, run_id)
            run = await cancellations.cancel_waiting(connection, run_id, Reason.USER, now)
            run = run or await cancellations.request_cancel(connection, run_id, Reason.USER, now)
            if run is None:
                ended = await existing(connection, caller, run_id)
                raise ConflictError(f"run {run_id} has ended ({ended.status}); there is nothing to cancel")
            before, after = {"status": old.status}, {"status": run.status, "cancel_requested": True}
            target = await _target(connection, run)
            await record(connection, caller, "cancelRun", target, now, before=before, after=after)
        return run

    async def retry(self, caller: Caller, run_id: int, *, idempotency_key: str | None = None) -> Run:
        """Queue a new run for the instant of a run that did not succeed. The old row is not changed."""
        caller.require(Scope.RUN)
        key = idempotency.key_for(caller, f"POST /runs/{run_id}/retry", idempotency_key, "")
        find = partial(runs.find, owner_id=caller.bound)
        action = idempotency.Action(lambda connection: self._add_retry(connection, caller, run_id), find)
        new, is_new = await idempotency.perform(self._database, self._clock, key, action)
        if is_new:
            await notify_workers(self._database, self._broker, new)
        return new

    async def _add_retry(self, connection: AsyncConnection, caller: Caller, run_id: int) -> Run:
        old = await existing(connection, caller, run_id)
        row = await self._row_to_retry(connection, old)
        new = await runs.add(connection, {**row, "requested_by": caller.key_id})
        if (origin := await dependencies.find_origin(connection, old.id)) is not None:
            await dependencies.store_origin(connection, new.id, origin)
        after = {"job_id": new.job_id, "retry_of": old.id}
        target = await _target(connection, new)
        await record(connection, caller, "retryRun", target, self._clock.now(), after=after)
        return new

    async def _row_to_retry(self, connection: AsyncConnection, old: Run) -> dict[str, object]:
        if old.status not in TERMINAL:
            raise ConflictError(f"run {old.id} is {old.status}; only a run that has ended can be retried")
        if old.status is RunStatus.SUCCESS:
            raise ConflictError(
                f"run {old.id} succeeded; to run the job again, POST /jobs/{old.job_id}/run "
                f"or type `scheduler jobs run {old.job_id}`"
            )
        job = await jobs.find(connection, old.job_id, lock=True)
        if job is None:
            raise ConflictError(f"job {old.job_id} of run {old.id} has been deleted")
        await self._quotas.take_runs(connection, job.owner_id, self._clock.now())
        row = queued_row(job, Trigger.RETRY, self._clock.now())
        kept = {name: getattr(old, name) for name in ("scheduled_for", "priority", "args", "env")}
        return {**row, **kept, "retry_of": old.id}


async def _target(connection: AsyncConnection, run: Run) -> Target:
    return Target(f"runs/{run.id}", await jobs.owner_of(connection, run.job_id))


async def _view(connection: AsyncConnection, run: Run, log: str, *, is_tail: bool) -> RunView:
    names = await recent.job_names(connection, [run.job_id])
    expected = await recent.expected_seconds(connection, [run.job_id])
    return RunView(run, log, is_tail, names[run.job_id], expected.get(run.job_id))


def _end_of_log(run: Run, tail: bytes) -> tuple[str, bool]:
    # The log is valid UTF-8. A tail can start within a character, whose remaining bytes are dropped.
    return tail.decode("utf-8", "ignore"), len(tail) < run.log_bytes
