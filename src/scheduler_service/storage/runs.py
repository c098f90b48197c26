"""Adds, finds and lists runs. `transitions` moves them between states."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.concurrency_keys import shared_key
from scheduler_service.domain.records import Attempt, Job, Run
from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import ACTIVE, Reason, RunStatus, Trigger
from scheduler_service.storage.dialect import is_sqlite, json_array_has, json_array_within
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
_holding = runs.alias("holding")
_taken = (
    select(func.count())
    .where(_holding.c.job_id == jobs.c.id, _holding.c.concurrency_slot.is_not(None))
    .scalar_subquery()
)


_sharing = runs.alias("sharing")
_taken_of_key = (
    select(func.count())
    .where(
        _sharing.c.concurrency_key == jobs.c.concurrency_key + "/" + jobs.c.owner_id,
        _sharing.c.concurrency_slot.is_not(None),
    )
    .scalar_subquery()
)
_has_free_slot = or_(
    jobs.c.overlap_policy == "allow",
    and_(
        _taken < jobs.c.max_concurrency,
        or_(jobs.c.concurrency_key.is_(None), _taken_of_key < jobs.c.max_concurrency),
    ),
)


def queued_row(
    *,
    job_id: int,
    trigger: Trigger,
    scheduled_for: datetime,
    priority: int,
    correlation_id: str,
    now: datetime,
    trace_parent: str | None = None,
    job_version: int | None = None,
) -> dict[str, Any]:
    """Build the row of a queued run. The caller notifies workers after the commit."""
    return {
        "job_id": job_id,
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
        "trace_parent": trace_parent,
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


async def count_slots_of_key(connection: AsyncConnection, job: Job) -> int:
    """Return the number of runs that hold slots of the job's concurrency key. Without a key there are none."""
    held = runs.c.concurrency_slot.is_not(None)
    query = select(func.count()).select_from(runs).where(runs.c.concurrency_key == shared_key(job), held)
    return 0 if job.concurrency_key is None else (await connection.execute(query)).scalar_one()


async def claimable(
    connection: AsyncConnection, now: datetime, limit: int, *, notified_before: datetime, routing: Routing = EVERYTHING
) -> list[tuple[int, int]]:
    """Return (run id, attempt) of runs that a worker can claim now, the most urgent first.

    Runs with a notice after `notified_before` are left out, because the notified worker claims them. Runs that
    `routing` assigns to other workers, and runs of jobs without a free concurrency slot, are left out too.
    """
    values = {"at": now, "notified_before": notified_before, "limit": limit}
    return [(row.id, row.attempt) for row in await connection.execute(_claimable(routing), values)]


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


@cache
def _claimable(routing: Routing) -> Select[tuple[int, int]]:
    return (
        select(runs.c.id, runs.c.attempt)
        .join(jobs, jobs.c.id == runs.c.job_id)
        .where(
            with_status(RunStatus.QUEUED),
            runs.c.available_at <= bindparam("at"),
            func.coalesce(runs.c.notified_at, runs.c.available_at) <= bindparam("notified_before"),
            _has_free_slot,
            _served(routing),
        )
        .order_by(runs.c.priority.desc(), runs.c.available_at, runs.c.id)
        .limit(bindparam("limit"))
    )


def _served(routing: Routing) -> ColumnElement[bool]:
    """Return `Routing.serves` as an SQL condition."""
    is_granted = json_array_within(jobs.c.grants, literal(json.dumps(sorted(routing.grants)), Text()))
    if routing.own:
        return and_(is_granted, or_(*(json_array_has(jobs.c.tags, tag) for tag in sorted(routing.own))))
    return and_(is_granted, *(not_(json_array_has(jobs.c.tags, tag)) for tag in routing.reserved))
