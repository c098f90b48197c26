"""Writes the run's next state after an attempt.

Theory of operation. A commit can succeed although its answer is lost. The settlement therefore repeats its write until
the database answers, and before each repetition checks whether this very end is already stored.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.attempt_end import Interruption, fault_rest_seconds
from scheduler_service.engine.finisher import Finisher
from scheduler_service.engine.log_writer import LeaseLostError
from scheduler_service.engine.loop import until_available
from scheduler_service.storage import events, jobs, logs, rescues, transitions
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.finishing import Ending
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.transitions import AttemptEnd

log = structlog.get_logger(__name__)
_retry_policy = TypeAdapter(RetryPolicy)


class Settlement:
    """Writes the ends of attempts, and retries as long as the database is unavailable."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._finisher = Finisher(database)

    async def settle(self, claimed: Claimed, end: AttemptEnd | Interruption, rest: LogPiece) -> None:
        """Write the run's next state and the rest of its log.

        Raise `LeaseLostError` if this worker has lost the attempt.
        """
        now = self._clock.now()
        if isinstance(end, Interruption):
            await self._write(claimed, lambda connection: _write_interruption(connection, claimed, end, rest, now))
            _log_interruption(claimed, end)
            return
        ending = Ending(claimed, end, now, rest)
        delay_seconds = _retry_delay_seconds(claimed, end)
        retry_at = None if delay_seconds is None else now + timedelta(seconds=delay_seconds)
        if retry_at is None and ending.can_be_shared:
            await self._finish(ending)
        else:
            await self._write(claimed, lambda connection: _write_end(connection, ending, retry_at))
        _log_end(claimed, end, retry_at)

    async def note_fenced(self, claimed: Claimed) -> None:
        """Record that a write of a stale attempt was refused."""

        async def note() -> None:
            async with self._database.write() as connection:
                await events.note_fenced(connection, claimed.lease, claimed.job.id, self._clock.now())

        await until_available(note, run_id=claimed.run.id)

    async def _finish(self, ending: Ending) -> None:
        if await until_available(lambda: self._finisher.finish(ending), run_id=ending.claimed.run.id):
            return
        await self._write(ending.claimed, lambda connection: _is_stored(connection, ending.claimed, ending.end))

    async def _write(self, claimed: Claimed, write: Callable[[AsyncConnection], Awaitable[bool]]) -> None:
        async def try_to_write() -> bool:
            async with self._database.write() as connection:
                return await write(connection)

        if not await until_available(try_to_write, run_id=claimed.run.id):
            raise LeaseLostError


async def _is_stored(connection: AsyncConnection, claimed: Claimed, end: AttemptEnd) -> bool:
    return await transitions.is_stored(connection, claimed.lease, end)


async def _write_end(connection: AsyncConnection, ending: Ending, retry_at: datetime | None) -> bool:
    claimed, end, now = ending.claimed, ending.end, ending.at
    # Before the run's rows: a cancel of all runs takes these locks in the same order.
    await jobs.lock(connection, claimed.job.id)
    await logs.append_rest(connection, claimed.lease, ending.rest)
    if retry_at is not None and await transitions.retry_later(connection, claimed, end, retry_at, now):
        return True
    if await transitions.finish(connection, claimed, end, now):
        return True
    return await transitions.is_stored(connection, claimed.lease, end)


async def _write_interruption(
    connection: AsyncConnection, claimed: Claimed, interruption: Interruption, rest: LogPiece, now: datetime
) -> bool:
    await logs.append_rest(connection, claimed.lease, rest)
    if not interruption.began:
        available_at = now + timedelta(seconds=fault_rest_seconds(claimed.run.fault_count))
        # If the lease is lost, the run is already requeued or another worker has it. No write was refused.
        await rescues.undo_claim(connection, claimed.lease, interruption.message, available_at, now)
        return True
    requeue = rescues.requeue_on_shutdown if interruption.is_shutdown else rescues.requeue_after_fault
    if await requeue(connection, claimed.lease, interruption.message, now):
        return True
    lost = AttemptEnd(status=RunStatus.FAILED, reason=Reason.WORKER_LOST, message=interruption.message)
    return await transitions.is_stored(connection, claimed.lease, lost)


def _retry_delay_seconds(claimed: Claimed, end: AttemptEnd) -> float | None:
    """Return the seconds before the next attempt, or None if there is none."""
    # A retry of a rejected command would be rejected again.
    if end.status is not RunStatus.FAILED or end.reason is Reason.REJECTED:
        return None
    policy = _retry_policy.validate_python(claimed.job.retry_policy)
    if not policy.allows(claimed.run.retry_count):
        return None
    return policy.delay(claimed.run.retry_count + 1, random.random())  # noqa: S311 (jitter, not a secret)


def _log_interruption(claimed: Claimed, end: Interruption) -> None:
    log.warning("attempt_interrupted", **_about(claimed), began=end.began, cause=end.message)


def _log_end(claimed: Claimed, end: AttemptEnd, retry_at: datetime | None) -> None:
    """Log the end of an attempt: a failure as a warning, with its cause and the time of the next attempt."""
    if end.status is RunStatus.FAILED:
        cause: dict[str, object] = {"reason": end.reason, "exit_code": end.exit_code, "signal": end.signal}
        cause["retry_at"] = None if retry_at is None else iso8601(retry_at)
        known = {name: value for name, value in cause.items() if value is not None}
        log.warning("attempt_failed", **_about(claimed), **known)
    else:
        log.info("attempt_ended", **_about(claimed), status=end.status)


def _about(claimed: Claimed) -> dict[str, int]:
    return {"run_id": claimed.run.id, "job_id": claimed.job.id, "attempt": claimed.run.attempt}
