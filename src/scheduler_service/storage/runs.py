"""Adds, finds and lists runs. `transitions` moves them between states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.concurrency_keys import shared_key
from scheduler_service.domain.records import Attempt, Job, Run
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import ACTIVE, Reason, RunStatus, Trigger
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.tables import attempts, jobs, runs, with_status

# A long backfill must not make the schedule skip its instants.
_counts_for_overlap = runs.c.trigger != Trigger.BACKFILL
# Built once, as in `transitions`.
# By the place of each row: a join by ids can read the whole table for each batch. An ended run never moves.
_prune_on_postgresql = text("""
DELETE FROM runs WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM runs WHERE finished_at < :before ORDER BY finished_at LIMIT :limit
))
""")
_add = insert(runs).returning(runs)
_job_of = select(jobs).where(jobs.c.id == bindparam("of_job"))
_attempts_of = select(attempts).where(attempts.c.run_id == bindparam("of_run")).order_by(attempts.c.attempt)


def queued_row(
    *,
    job_id: int,
    owner_id: str,
    trigger: Trigger,
    scheduled_for: datetime,
    priority: int,
    correlation_id: str,
    now: datetime,
    job_version: int | None = None,
) -> dict[str, Any]:
    """Build the row of a queued run without a trace. The caller notifies workers after the commit."""
    return {
        "job_id": job_id,
        "owner_id": owner_id,
        "job_version": job_version,
        "status": RunStatus.QUEUED,
        "trigger": trigger,
        "scheduled_for": scheduled_for,
        "priority": priority,
        "queued_at": now,
        "available_at": now,
        "notified_at": now,
        "attempt": 0,
        "retry_count": 0,
        "rescue_count": 0,
        "log_bytes": 0,
        "logs_truncated": False,
        "correlation_id": correlation_id,
        "trace_parent": None,
    }


async def add(connection: AsyncConnection, row: Mapping[str, Any]) -> Run:
    """Store a new run."""
    return Run(**(await connection.execute(_add, row)).mappings().one())


async def find(connection: AsyncConnection, run_id: int, *, owner_id: str | None = None) -> Run | None:
    """Return a run, or None. `owner_id` restricts the search to one owner's jobs."""
    query = _find(has_owner=owner_id is not None)
    row = (await connection.execute(query, {"of_run": run_id, "of_owner": owner_id})).mappings().one_or_none()
    return None if row is None else Run(**row)


async def find_attempts(connection: AsyncConnection, run_id: int) -> tuple[Attempt, ...]:
    """Return a run's attempts in order."""
    return tuple(Attempt(**row) for row in (await connection.execute(_attempts_of, {"of_run": run_id})).mappings())


async def count_active(connection: AsyncConnection, job_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of each job's active runs that count for its overlap policy. Jobs without any are left out."""
    query = (
        select(runs.c.job_id, func.count())
        .where(runs.c.job_id.in_(job_ids), with_status(*ACTIVE), _counts_for_overlap)
        .group_by(runs.c.job_id)
    )
    return dict((await connection.execute(query)).all())


async def active_of(connection: AsyncConnection, job_id: int) -> list[Run]:
    """Return the active runs of a job that count for its overlap policy, the oldest first."""
    query = select(runs).where(runs.c.job_id == job_id, with_status(*ACTIVE), _counts_for_overlap).order_by(runs.c.id)
    return [Run(**row) for row in (await connection.execute(query)).mappings()]


async def move_to_owner(connection: AsyncConnection, job_id: int, owner_id: str) -> None:
    """Assign the active runs of a job to another owner. The caller has locked the job."""
    active = (runs.c.job_id == job_id, with_status(*ACTIVE))
    await connection.execute(update(runs).where(*active).values(owner_id=owner_id, owner_slot=None))


async def count_slots_of_key(connection: AsyncConnection, job: Job) -> int:
    """Return the number of runs that hold slots of the job's concurrency key. Without a key there are none."""
    held = runs.c.concurrency_slot.is_not(None)
    query = select(func.count()).select_from(runs).where(runs.c.concurrency_key == shared_key(job), held)
    return 0 if job.concurrency_key is None else (await connection.execute(query)).scalar_one()


async def notices(connection: AsyncConnection, waiting: Sequence[Run]) -> list[RunNotice]:
    """Return the notices for waiting runs."""
    query = select(jobs.c.id, jobs.c.tags).where(jobs.c.id.in_({run.job_id for run in waiting}))
    tags = {job_id: tuple(listed) for job_id, listed in await connection.execute(query)}
    return [
        RunNotice(run.id, run.attempt, run.priority, run.correlation_id, tags[run.job_id], run.trace_parent)
        for run in waiting
    ]


async def job_of(connection: AsyncConnection, run: Run) -> Job:
    """Return the job of a run, even if it was deleted."""
    return Job(**(await connection.execute(_job_of, {"of_job": run.job_id})).mappings().one())


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete runs that ended before an instant, with their attempts and logs. Return their number."""
    if not is_sqlite(connection):
        return (await connection.execute(_prune_on_postgresql, {"before": before, "limit": limit})).rowcount
    keys = select(runs.c.id).where(runs.c.finished_at < before).order_by(runs.c.finished_at).limit(limit)
    return (await connection.execute(delete(runs).where(runs.c.id.in_(keys)))).rowcount


def ended_row(row: Mapping[str, Any], status: RunStatus, reason: Reason, now: datetime) -> dict[str, Any]:
    """Return a new row in a final state, for an instant that becomes no run."""
    return {**row, "status": status, "reason": reason, "finished_at": now}


def is_of_owner(owner_id: str | BindParameter[str]) -> ColumnElement[bool]:
    """Return the condition that a run belongs to a job of this owner."""
    return runs.c.job_id.in_(select(jobs.c.id).where(jobs.c.owner_id == owner_id))


@cache
def _find(*, has_owner: bool) -> Select[Any]:
    query = select(runs).where(runs.c.id == bindparam("of_run"))
    return query.where(is_of_owner(bindparam("of_owner"))) if has_owner else query
