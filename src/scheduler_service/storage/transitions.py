"""Moves runs between states after their claim, with one guarded UPDATE for each move; see `claims` for the claim.

Theory of operation. The WHERE clause of each UPDATE names the expected state and, for a running run, the lease. Its row
count decides who won: False or None means that another process was first. `domain/run_state` lists the allowed
transitions. Statements that every run needs are built once, because building one takes as long as executing it. Such an
UPDATE sets the columns for which the caller passes values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Update, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.storage import jobs, pauses
from scheduler_service.storage import runs as run_rows
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.leases import HELD, Lease
from scheduler_service.storage.tables import WAITING, attempts, runs, with_status

_ENDED_ATTEMPT = ("status", "reason", "message", "exit_code", "signal", "isolation", "usage")

_held_by = select(runs.c.id, runs.c.attempt, runs.c.fault_count, runs.c.cancel_reason).where(
    runs.c.worker_id == bindparam("of_worker"), with_status(RunStatus.RUNNING)
)
_leave_running = update(runs).where(HELD)
_leave_for_a_retry = _leave_running.where(runs.c.cancel_requested_at.is_(None)).values(
    retry_count=runs.c.retry_count + 1
)
_noted = select(
    attempts.c.worker_id, attempts.c.status, attempts.c.reason, attempts.c.message, attempts.c.finished_at
).where(attempts.c.run_id == bindparam("of_run"), attempts.c.attempt == bindparam("of_attempt"))
_end_attempt = update(attempts).where(
    attempts.c.run_id == bindparam("of_run"), attempts.c.attempt == bindparam("of_attempt")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """The outcome of an attempt, as columns.

    `last_result` is a result for the next run of the job, if there is one. `artifacts` is None if no code has run: the
    run then keeps those of the attempt before.
    """

    status: RunStatus
    reason: Reason | None = None
    message: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    result: Any = None
    last_result: Any = None
    artifacts: Sequence[Mapping[str, Any]] | None = None
    logs_truncated: bool = False
    isolation: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None


async def is_stored(connection: AnyConnection, lease: Lease, end: AttemptEnd) -> bool:
    """Return whether this end of an attempt is stored, by a commit whose answer was lost."""
    row = (await connection.execute(_noted, {"of_run": lease.run_id, "of_attempt": lease.attempt})).one_or_none()
    noted = (lease.worker_id, end.status, end.reason, end.message)
    return row is not None and row.finished_at is not None and tuple(row)[:-1] == noted


async def finish(connection: AnyConnection, claimed: Claimed, end: AttemptEnd, now: datetime) -> bool:
    """End a run: running → success, failed or cancelled. Return False if the lease is lost.

    1. Lock the job. 2. Move the run. 3. End the attempt. 4. Store the outcome with the job.
    """
    await jobs.lock(connection, claimed.job.id)
    written = {"result": end.result, "logs_truncated": end.logs_truncated, **_artifacts(end)}
    values = {**_columns(end), **written, "finished_at": now}
    if not await _leave(connection, _leave_running, claimed.lease, values):
        return False
    await _end(connection, claimed.lease, end, now)
    started_at = claimed.run.started_at or now
    await jobs.note_last_run(connection, claimed.job.id, started_at, end.status, result=end.last_result)
    await pauses.count_outcome(connection, claimed.job.id, end.status, now)
    return True


async def retry_later(
    connection: AnyConnection, claimed: Claimed, end: AttemptEnd, available_at: datetime, now: datetime
) -> bool:
    """Schedule another attempt: running → retrying. Return False if the lease is lost or a cancel was requested."""
    values = {
        "status": RunStatus.RETRYING,
        "reason": end.reason,
        "message": end.message,
        "exit_code": end.exit_code,
        "signal": end.signal,
        **_artifacts(end),
        "logs_truncated": end.logs_truncated,
        "available_at": available_at,
    }
    if not await _leave(connection, _leave_for_a_retry, claimed.lease, values):
        return False
    await _end(connection, claimed.lease, end, now)
    return True


async def held_by(connection: AsyncConnection, worker_id: str) -> dict[Lease, Reason | None]:
    """Return the leases that a worker holds, each with the reason of a requested cancel or None."""
    rows = await connection.execute(_held_by, {"of_worker": worker_id})
    return {Lease(row.id, row.attempt, worker_id, row.fault_count): row.cancel_reason for row in rows}


async def release(connection: AsyncConnection, now: datetime, limit: int) -> list[RunNotice]:
    """Make runs claimable whose wait (retry, jitter, rescue) is over: queued or retrying → queued.

    Return the notices to send after the commit.
    """
    keys = (
        select(runs.c.id)
        .where(with_status(*WAITING), runs.c.available_at <= now, runs.c.notified_at.is_(None))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(runs)
        .where(runs.c.id.in_(keys), with_status(*WAITING))
        .values(status=RunStatus.QUEUED, notified_at=now)
        .returning(runs)
    )
    released = [Run(**row) for row in (await connection.execute(statement)).mappings()]
    return await run_rows.notices(connection, released) if released else []


async def _leave(connection: AnyConnection, statement: Update, lease: Lease, values: Mapping[str, Any]) -> bool:
    left = {"concurrency_slot": None, "notified_at": None, **values}
    return bool((await connection.execute(statement, {**lease.binds, **left})).rowcount)


async def _end(connection: AnyConnection, lease: Lease, end: AttemptEnd, now: datetime) -> None:
    await connection.execute(_end_attempt, {**lease.binds, **_columns(end), "finished_at": now})


def _columns(end: AttemptEnd) -> dict[str, Any]:
    return {name: getattr(end, name) for name in _ENDED_ATTEMPT}


def _artifacts(end: AttemptEnd) -> dict[str, Any]:
    return {} if end.artifacts is None else {"artifacts": list(end.artifacts)}
