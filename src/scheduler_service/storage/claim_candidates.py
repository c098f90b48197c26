"""The part of a claim that reads the next runs of the owners whose turn it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, func, literal_column, select, true

from scheduler_service.storage.fair_shares import LIMIT, ONE, owners_in_turn, urgency
from scheduler_service.storage.tables import jobs, runs

MAX_OF_OWNER = 64
"""Runs of one owner in a claim; the worker then claims again. A constant, so that PostgreSQL plans for few rows."""


def candidates(is_claimable: ColumnElement[bool], *, of_sqlite: bool) -> CTE:
    """Return runs that may be claimed, as many as there are free slots, with what a claim needs of their jobs.

    `nth` numbers the runs of each owner. On PostgreSQL the runs are locked, and those that another claim has locked are
    skipped.
    """
    return (_read if of_sqlite else _lock)(is_claimable).cte("candidates")


def _lock(is_claimable: ColumnElement[bool]) -> Select[Any]:
    owners = owners_in_turn(of_sqlite=False)
    queued = (
        select(*_of_run(runs))
        .where(runs.c.owner_id == owners.c.owner_id, is_claimable)
        .order_by(*urgency(runs))
        .limit(literal_column(str(MAX_OF_OWNER)))
        .with_for_update(of=runs, skip_locked=True)
        .correlate(owners)
        .subquery("queued")
    )
    own = select(queued).limit(owners.c.share).correlate(owners).lateral("own")
    locked = select(own, owners.c.quota).select_from(owners.join(own, true())).limit(LIMIT).subquery("locked")
    nth = func.row_number().over(partition_by=locked.c.owner_id, order_by=urgency(locked))
    return select(locked, *_of_job(jobs), nth.label("nth")).join(jobs, jobs.c.id == locked.c.job_id)


def _read(is_claimable: ColumnElement[bool]) -> Select[Any]:
    """Read the runs without a lateral join, which SQLite does not have.

    A window function needs the runs of all owners, so the first owners that have one are looked for before.
    """
    owners = owners_in_turn(of_sqlite=True)
    own_queue = (runs.c.owner_id == owners.c.owner_id, is_claimable)
    first = select(runs.c.id).where(*own_queue).order_by(*urgency(runs)).limit(ONE).correlate(owners).scalar_subquery()
    able = select(owners).where(first.is_not(None)).limit(LIMIT).cte("able")
    run, job = runs.alias("run"), jobs.alias("job")
    keys = (
        select(runs.c.id)
        .where(runs.c.owner_id == able.c.owner_id, is_claimable)
        .order_by(*urgency(runs))
        .limit(LIMIT)
        .correlate(able)
    )
    nth = func.row_number().over(partition_by=run.c.owner_id, order_by=urgency(run)).label("nth")
    own = (
        select(*_of_run(run), *_of_job(job), able.c.share, able.c.turn, nth)
        .select_from(able.join(run, run.c.id.in_(keys)).join(job, job.c.id == run.c.job_id))
        .subquery("own")
    )
    return select(own).where(own.c.nth <= own.c.share).order_by(own.c.turn, own.c.nth).limit(LIMIT)


def _of_run(run: FromClause) -> tuple[ColumnElement[Any], ...]:
    return run.c.id, run.c.job_id, run.c.owner_id, run.c.priority, run.c.available_at


def _of_job(job: FromClause) -> tuple[ColumnElement[Any], ...]:
    key = job.c.concurrency_key + "/" + job.c.owner_id  # NULL without a key, as `concurrency_keys.shared_key`
    return key.label("key"), job.c.overlap_policy, job.c.max_concurrency, job.c.grants, job.c.version
