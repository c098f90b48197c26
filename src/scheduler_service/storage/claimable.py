"""The statements that choose the runs of a claim, and their concurrency slots."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    update,
)

from scheduler_service.domain.routing import Routing
from scheduler_service.domain.run_state import RunStatus, Trigger, WorkerState
from scheduler_service.storage.claim_candidates import candidates
from scheduler_service.storage.dialect import json_array_has, json_array_within, seconds_between
from scheduler_service.storage.fair_shares import urgency
from scheduler_service.storage.tables import jobs, runs, with_status
from scheduler_service.storage.types import UtcInstant
from scheduler_service.storage.worker_tables import workers

_AT = bindparam("at", type_=UtcInstant())
_shared_key = jobs.c.concurrency_key + "/" + jobs.c.owner_id  # NULL without a key, as `concurrency_keys.shared_key`
_holding = runs.alias("holding")
_sharing = runs.alias("sharing")
_taken = (
    select(func.count())
    .where(_holding.c.job_id == jobs.c.id, _holding.c.concurrency_slot.is_not(None))
    .scalar_subquery()
)
_taken_of_key = (
    select(func.count())
    .where(_sharing.c.concurrency_key == _shared_key, _sharing.c.concurrency_slot.is_not(None))
    .scalar_subquery()
)
_has_free_slot = or_(
    jobs.c.overlap_policy == "allow",
    and_(
        _taken < jobs.c.max_concurrency,
        or_(jobs.c.concurrency_key.is_(None), _taken_of_key < jobs.c.max_concurrency),
    ),
)
_is_due = and_(
    with_status(RunStatus.QUEUED),
    runs.c.available_at <= _AT,
    or_(runs.c.start_by.is_(None), runs.c.start_by >= _AT, runs.c.attempt > 0),
    select(workers.c.id)
    .where(workers.c.id == bindparam("of_worker"), workers.c.state != WorkerState.DEAD)
    .correlate(None)
    .exists(),
)


def chosen(routing: Routing, *, has_run: bool, of_sqlite: bool) -> CTE:
    """Return the rows of the runs that a worker may claim and that are next, each with its concurrency slot or NULL.

    Fairness between owners comes first, then the priority of a run, then how long it waits. Runs of one job or
    concurrency key have ranks from 1 in the column `rank`.
    """
    conditions = [_is_due, _allowed_by_job(routing)]
    if has_run:
        conditions.append(runs.c.id == bindparam("of_run"))
    found = candidates(and_(*conditions), of_sqlite=of_sqlite)
    limit = func.coalesce(found.c.key, cast(found.c.job_id, Text()))
    rank = func.row_number().over(partition_by=limit, order_by=urgency(found))
    owner_slot = null() if of_sqlite else _owner_slot(found)
    columns = (rank.label("rank"), _slot(found).label("slot"), cast(owner_slot, Integer()).label("owner_slot"))
    return select(found, *columns).cte("chosen")


def move_to_running(which: CTE) -> Update:
    """Return the UPDATE that claims the chosen runs of which a concurrency slot is free, and returns them."""
    has_slot = and_(which.c.rank == literal_column("1"), which.c.slot < which.c.max_concurrency)
    return (
        update(runs)
        # The rows are locked, so they are still queued. To name the state again misleads the planner of PostgreSQL.
        .where(runs.c.id == which.c.id, or_(which.c.overlap_policy == "allow", has_slot))
        .values(
            status=RunStatus.RUNNING,
            reason=null(),
            message=null(),
            exit_code=null(),
            signal=null(),
            attempt=runs.c.attempt + 1,
            worker_id=bindparam("of_worker"),
            concurrency_slot=which.c.slot,
            concurrency_key=which.c.key,
            owner_slot=which.c.owner_slot,
            grants=which.c.grants,
            job_version=which.c.version,
            started_at=_AT,
            lateness_seconds=func.coalesce(runs.c.lateness_seconds, _lateness_seconds()),
        )
        .returning(*runs.c)
    )


def _slot(found: CTE) -> ColumnElement[Any]:
    """Return the lowest free concurrency slot of a job or its key, or NULL if the job does not limit its runs."""
    taken = runs.alias("taken")
    is_mine = or_(taken.c.job_id == found.c.job_id, taken.c.concurrency_key == found.c.key)
    after_taken = (
        select(func.min(taken.c.concurrency_slot) + literal_column("1"))
        .where(is_mine, taken.c.concurrency_slot.is_not(None), not_(_is_taken(found, taken.c.concurrency_slot + 1)))
        .scalar_subquery()
    )
    first = literal_column("0", Integer())
    return case(
        (found.c.overlap_policy == "allow", null()),
        (not_(_is_taken(found, first)), first),
        else_=after_taken,
    )


def _owner_slot(found: CTE) -> ColumnElement[Any]:
    """Return a free slot of the owner of a run, another one for each of its runs, or NULL if no quota limits them."""
    held = runs.alias("held_of_owner")
    numbers = func.generate_series(literal_column("0"), found.c.quota - literal_column("1"))
    slot = numbers.table_valued(column("slot", Integer()), name="of_owner").render_derived()
    # Written as in the partial index, so that every plan uses it.
    holds = and_(literal_column("held_of_owner.status IN ('running')"), held.c.owner_slot.is_not(None))
    is_held = select(held.c.id).where(held.c.owner_id == found.c.owner_id, held.c.owner_slot == slot.c.slot, holds)
    free = select(slot.c.slot).where(not_(is_held.correlate_except(held).exists())).order_by(slot.c.slot)
    return free.offset(found.c.nth - literal_column("1")).limit(literal_column("1")).correlate(found).scalar_subquery()


def _is_taken(found: CTE, slot: ColumnElement[Any]) -> ColumnElement[bool]:
    # Two queries, each with its index: a job that was given a key meanwhile can hold slots without it.
    mine, shared = runs.alias(), runs.alias()
    by_job = select(mine.c.id).where(mine.c.job_id == found.c.job_id, _holds(mine, slot))
    by_key = select(shared.c.id).where(shared.c.concurrency_key == found.c.key, _holds(shared, slot))
    return or_(by_job.correlate_except(mine).exists(), by_key.correlate_except(shared).exists())


def _holds(run: FromClause, slot: ColumnElement[Any]) -> ColumnElement[bool]:
    # The second condition makes every plan use the partial index.
    return and_(run.c.concurrency_slot == slot, run.c.concurrency_slot.is_not(None))


def _lateness_seconds() -> ColumnElement[float]:
    """Return how late a first attempt starts.

    It should start at its instant, or at the end of an intended wait such as jitter. A wait after a worker's fault is
    not intended, so it makes the run late.
    """
    is_on_time = or_(runs.c.available_at <= runs.c.queued_at, runs.c.fault_count > literal_column("0"))
    due_at = case(
        (and_(runs.c.trigger == Trigger.SCHEDULE, is_on_time), runs.c.scheduled_for), else_=runs.c.available_at
    )
    return seconds_between(due_at, _AT)


def _allowed_by_job(routing: Routing) -> ColumnElement[bool]:
    """Return the condition that this worker serves the job of a run, and that the job has a free slot.

    As a scalar query it is evaluated for one run after the other in the order of the queue. With a join, both databases
    can read all jobs or runs before the first one.
    """
    allows = and_(_has_free_slot, _is_served(routing))
    return select(allows).where(jobs.c.id == runs.c.job_id).correlate(runs).scalar_subquery()


def _is_served(routing: Routing) -> ColumnElement[bool]:
    """Return `Routing.serves` as an SQL condition."""
    is_granted = json_array_within(jobs.c.grants, literal(json.dumps(sorted(routing.grants)), Text()))
    if routing.own:
        return and_(is_granted, or_(*(json_array_has(jobs.c.tags, tag) for tag in sorted(routing.own))))
    return and_(is_granted, *(not_(json_array_has(jobs.c.tags, tag)) for tag in routing.reserved))
