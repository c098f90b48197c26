"""Fires the ordinary due jobs of a batch in three statements, however many they are.

Theory of operation. `lock_due` locks due jobs, skipping those that another dispatcher has locked. It groups those for
which `domain/ordinary_fires` can decide: nothing but their schedule matters, they are not late, and they have no active
run that their overlap policy counts. `fire` inserts the runs and moves the jobs on. As in the ledger, a move compares
and sets `next_run_at`, and an instant that has a row gets no second one. The ids of all other jobs go to the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from scheduler_service.domain.ordinary_fires import Advance, DueGroup
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import ACTIVE, JobStatus, Trigger
from scheduler_service.storage import runs as run_rows
from scheduler_service.storage.dialect import is_sqlite, list_of, seconds_between
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.quota_tables import owner_bytes, owner_quotas
from scheduler_service.storage.row_parameters import RowParameters
from scheduler_service.storage.stored_bytes import is_full
from scheduler_service.storage.tables import jobs, runs, with_status
from scheduler_service.storage.types import Json, UtcInstant

_NOW: Any = bindparam("at", type_=UtcInstant())
# The rules of `firing` are computed from `now` in another unit here, so jobs this close to a limit go to the ledger.
_MARGIN_SECONDS = 0.001
_SCHEDULE = (
    jobs.c.schedule_expr,
    jobs.c.timezone,
    jobs.c.dst_gap,
    jobs.c.dst_fold,
    jobs.c.next_run_at,
    jobs.c.schedule_version,
)
_advances = RowParameters(
    "advances",
    job_id=jobs.c.id,
    schedule_version=jobs.c.schedule_version,
    from_instant=jobs.c.next_run_at,
    to_instant=jobs.c.next_run_at,
)


@dataclass(frozen=True, slots=True)
class LockedJobs:
    """Due jobs that this transaction has locked. `others` are the ids of those that are not ordinary."""

    groups: tuple[DueGroup, ...]
    others: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of locked jobs."""
        return len(self.others) + sum(len(group.job_ids) for group in self.groups)


async def lock_due(connection: AnyConnection, now: datetime, limit: int, quotas: Quotas = NO_QUOTAS) -> LockedJobs:
    """Lock up to `limit` due jobs, longest due first, without those that another dispatcher has locked.

    Jobs of owners whose runs in a minute are limited, or that have no room for logs, are not ordinary. `quotas` hold
    for owners without others.
    """
    binds = {
        "at": now,
        "limit": limit,
        "max_runs_per_minute": quotas.runs_per_minute,
        "max_stored_mb": quotas.stored_mb,
    }
    rows = (await connection.execute(_lock_due(), binds)).all()
    groups = tuple(DueGroup(*row[1:]) for row in rows if row.is_ordinary)
    return LockedJobs(groups, tuple(job_id for row in rows if not row.is_ordinary for job_id in row.ids))


async def fire(
    connection: AnyConnection, advances: Sequence[Advance], now: datetime, max_notices: int
) -> tuple[RunNotice, ...]:
    """Insert a run for each job's instant and move the job on. Return notices for the most urgent new runs.

    A job that was changed since it was read gets no run and is not moved.
    """
    continuing = [advance for advance in advances if advance.to_instant is not None]
    finishing = [advance for advance in advances if advance.to_instant is None]
    notices: list[RunNotice] = []
    for advancing, are_finished in ((continuing, False), (finishing, True)):
        if advancing:
            rows = _advances.values(connection, advancing)
            notices += await _fire(connection, rows, now, max_notices - len(notices), are_finished=are_finished)
    return tuple(notices)


async def _fire(
    connection: AnyConnection, rows: Mapping[str, Any], now: datetime, max_notices: int, *, are_finished: bool
) -> list[RunNotice]:
    values = {**rows, "at": now, "max_notices": max_notices}
    if not is_sqlite(connection):
        added = await connection.execute(_fire_on_postgresql(are_finished=are_finished), values)
        return [_notice(row, row.tags) for row in added]
    added = await connection.execute(_add_on_sqlite(are_told=max_notices > 0), values)
    urgent = sorted(added.all(), key=_urgency)[:max_notices] if max_notices else []
    await connection.execute(_move(of_sqlite=True, are_finished=are_finished), values)
    return await _notices(connection, urgent)


async def _notices(connection: AnyConnection, added: Sequence[Row[Any]]) -> list[RunNotice]:
    if not added:
        return []
    ids = json.dumps([row.job_id for row in added])
    tags = dict((await connection.execute(_tags, {"ids": ids})).all())
    return [_notice(row, tags[row.job_id]) for row in added]


def _notice(row: Row[Any], tags: Sequence[str]) -> RunNotice:
    return RunNotice(row.id, 0, row.priority, row.correlation_id, tuple(tags))


def _urgency(row: Row[Any]) -> tuple[int, int]:
    return -row.priority, row.id


_told = func.json_each(bindparam("ids", type_=Text())).table_valued("value", name="told")
_tags = select(jobs.c.id, jobs.c.tags).where(jobs.c.id.in_(select(_told.c.value)))


@cache
def _lock_due() -> Select[Any]:
    may_overlap = or_(jobs.c.overlap_policy == "allow", jobs.c.overlap_policy == "queue")
    locked = (
        select(jobs.c.id, jobs.c.anchor_at, *_SCHEDULE, _is_plain().label("is_plain"), may_overlap.label("may_overlap"))
        .outerjoin(owner_quotas, owner_quotas.c.owner_id == jobs.c.owner_id)
        .outerjoin(owner_bytes, owner_bytes.c.owner_id == jobs.c.owner_id)
        .where(jobs.c.next_run_at <= _NOW)
        .order_by(jobs.c.next_run_at)
        .limit(bindparam("limit"))
        .with_for_update(of=jobs, skip_locked=True)
        .cte("locked")
    )
    # One query for the whole batch. For each job, an old plan of PostgreSQL could read all runs.
    is_of_batch = runs.c.job_id.in_(select(locked.c.id))
    busy = select(runs.c.job_id).where(with_status(*ACTIVE), is_of_batch).distinct().subquery("busy")
    is_ordinary = and_(locked.c.is_plain, or_(locked.c.may_overlap, busy.c.job_id.is_(None))).label("is_ordinary")
    key = [locked.c[column.name] for column in _SCHEDULE]
    ids, anchors = list_of(locked.c.id).label("ids"), list_of(locked.c.anchor_at).label("anchors")
    rows = locked.outerjoin(busy, busy.c.job_id == locked.c.id)
    return select(is_ordinary, *key, ids, anchors).select_from(rows).group_by(is_ordinary, *key)


def _is_plain() -> ColumnElement[bool]:
    """Return the condition that only the schedule and the overlap policy of a due job matter."""
    max_runs = func.coalesce(owner_quotas.c.runs_per_minute, bindparam("max_runs_per_minute", type_=Integer()), 0)
    return and_(
        max_runs == 0,
        ~is_full(),
        seconds_between(jobs.c.next_run_at, _NOW) < jobs.c.misfire_grace_seconds - _MARGIN_SECONDS,
        jobs.c.end_at.is_(None),
        jobs.c.jitter_seconds == 0,
        jobs.c.calendars == literal([], Json),
        jobs.c.start_deadline_seconds.is_(None),
        jobs.c.max_runs.is_(None),
        jobs.c.pause_after_failures.is_(None),
    )


@cache
def _fire_on_postgresql(*, are_finished: bool) -> Select[Any]:
    moved = _move(of_sqlite=False, are_finished=are_finished).cte("moved")
    new_id = func.replace(cast(func.gen_random_uuid(), Text), "-", "")
    new = _new_runs(moved.c, moved.c.from_instant, new_id)
    added = _add(postgresql.insert(runs), select(*new.values()), new).cte("added")
    rows = added.join(moved, moved.c.id == added.c.job_id)
    urgent = select(*added.c, moved.c.tags).select_from(rows).order_by(added.c.priority.desc(), added.c.id)
    return urgent.limit(bindparam("max_notices"))


@cache
def _add_on_sqlite(*, are_told: bool) -> Any:
    advance = _advances.table(of_sqlite=True)
    new_id = func.lower(func.hex(func.randomblob(16)))
    new = _new_runs(jobs.c, jobs.c.next_run_at, new_id)
    # SQLite needs a WHERE between a SELECT and ON CONFLICT.
    due = select(*new.values()).select_from(advance).join(jobs, _is_unchanged(advance)).where(jobs.c.id > 0)
    return _add(sqlite.insert(runs), due, new, are_told=are_told)


def _add(insert: Any, rows: Select[Any], new: Mapping[str, Any], *, are_told: bool = True) -> Any:
    added = insert.from_select(list(new), rows).on_conflict_do_nothing()
    return added.returning(runs.c.id, runs.c.job_id, runs.c.priority, runs.c.correlation_id) if are_told else added


def _new_runs(job: Any, instant: Any, correlation_id: Any) -> dict[str, ColumnElement[Any]]:
    """Return an expression for each column of a new run. `job` has the columns of its job."""
    row = run_rows.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.SCHEDULE,
        scheduled_for=instant,
        priority=job.priority,
        correlation_id=correlation_id,
        now=_NOW,
        job_version=job.version,
    )
    return {
        name: value if isinstance(value, ColumnElement) else literal(value, runs.c[name].type)
        for name, value in row.items()
    }


@cache
def _move(*, of_sqlite: bool, are_finished: bool) -> Any:
    advance = _advances.table(of_sqlite=of_sqlite)
    moved = (
        update(jobs)
        .where(_is_unchanged(advance))
        .values(next_run_at=advance.c.to_instant, scheduled_runs=jobs.c.scheduled_runs + 1)
    )
    # Triggers examine a job whose status is set, even if it stays the same.
    moved = moved.values(status=JobStatus.FINISHED) if are_finished else moved
    told = (jobs.c.id, jobs.c.owner_id, jobs.c.version, jobs.c.priority, jobs.c.tags, advance.c.from_instant)
    return moved if of_sqlite else moved.returning(*told)


def _is_unchanged(advance: FromClause) -> ColumnElement[bool]:
    return and_(
        jobs.c.id == advance.c.job_id,
        jobs.c.next_run_at == advance.c.from_instant,
        jobs.c.schedule_version == advance.c.schedule_version,
    )
