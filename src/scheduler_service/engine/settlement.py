"""The end of an attempt in the ledger: the run's next state, written once though the answer to a commit is lost."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.log_writer import LeaseLostError
from scheduler_service.engine.loop import insist
from scheduler_service.engine.outcome import Cut, fault_rest_seconds
from scheduler_service.storage import events, rescues, transitions
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.transitions import Claimed, Report

log = structlog.get_logger(__name__)
_retry_policy = TypeAdapter(RetryPolicy)


class Settlement:
    """Writes what attempts came to, and insists while the database does not answer."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Write to this database."""
        self._database = database
        self._clock = clock

    async def settle(self, claimed: Claimed, end: Report | Cut) -> None:
        """Write the run's next state. Raises `LeaseLostError` if the attempt is no longer this worker's."""
        now = self._clock.now()
        delay_seconds = None if isinstance(end, Cut) else _retry_delay_seconds(claimed, end)
        retry_at = None if delay_seconds is None else now + timedelta(seconds=delay_seconds)
        if not await insist(lambda: self._write(claimed, end, retry_at, now), run_id=claimed.run.id):
            raise LeaseLostError
        _log_end(claimed, end, retry_at)

    async def note_fenced(self, claimed: Claimed) -> None:
        """Note that a stale attempt was kept from writing."""

        async def note() -> None:
            async with self._database.write() as connection:
                await events.note_fenced(connection, claimed.lease, claimed.job.id, self._clock.now())

        await insist(note, run_id=claimed.run.id)

    async def _write(self, claimed: Claimed, end: Report | Cut, retry_at: datetime | None, now: datetime) -> bool:
        async with self._database.write() as connection:
            if isinstance(end, Cut):
                return await _write_cut(connection, claimed, end, now)
            if retry_at is not None and await transitions.retry_later(connection, claimed, end, retry_at, now):
                return True
            if await transitions.finish(connection, claimed, end, now):
                return True
            return await transitions.is_noted(connection, claimed.lease, end)


async def _write_cut(connection: AsyncConnection, claimed: Claimed, cut: Cut, now: datetime) -> bool:
    if not cut.began:
        available_at = now + timedelta(seconds=fault_rest_seconds(claimed.run.fault_count))
        # If the lease is gone, the run was put back already or is in other hands. No write of it was refused.
        await rescues.put_back(connection, claimed.lease, cut.message, available_at, now)
        return True
    hand = rescues.requeue_on_shutdown if cut.by_stop else rescues.requeue_after_fault
    if await hand(connection, claimed.lease, cut.message, now):
        return True
    lost = Report(status=RunStatus.FAILED, reason=Reason.WORKER_LOST, message=cut.message)
    return await transitions.is_noted(connection, claimed.lease, lost)


def _retry_delay_seconds(claimed: Claimed, report: Report) -> float | None:
    """Return the wait before the next attempt; None if there is none."""
    policy = _retry_policy.validate_python(claimed.job.retry_policy)
    # A rejected command would be rejected again.
    hopeless = report.status is not RunStatus.FAILED or report.reason is Reason.REJECTED
    if hopeless or not policy.allows(claimed.run.retry_count):
        return None
    return policy.delay(claimed.run.retry_count + 1, random.random())  # noqa: S311 (jitter, not a secret)


def _log_end(claimed: Claimed, end: Report | Cut, retry_at: datetime | None) -> None:
    """Log how an attempt ended: a failure as a warning, with its cause and when the next attempt may start."""
    about = {"run_id": claimed.run.id, "job_id": claimed.job.id, "attempt": claimed.run.attempt}
    if isinstance(end, Cut):
        log.warning("attempt_cut", **about, began=end.began, cause=end.message)
    elif end.status is RunStatus.FAILED:
        cause: dict[str, object] = {"reason": end.reason, "exit_code": end.exit_code, "signal": end.signal}
        cause["retry_at"] = None if retry_at is None else iso8601(retry_at)
        log.warning("attempt_failed", **about, **{name: value for name, value in cause.items() if value is not None})
    else:
        log.info("attempt_ended", **about, status=end.status)
