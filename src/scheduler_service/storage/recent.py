"""Reads the newest rows of several jobs with one query. The index of each job's runs bounds what is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from statistics import median
from typing import Any

from sqlalchemy import FromClause, Select, Subquery, bindparam, func, lateral, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.outcomes import Outcome
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.tables import jobs, runs

EXPECTED_FROM = 50
"""The number of rows among which successes are sought for the expected duration."""
NEIGHBOURS = 5_000
"""The number of runs before or after a run among which one with a status is sought."""
_OUTCOME = (
    runs.c.job_id, runs.c.id, runs.c.status, runs.c.reason, runs.c.trigger, runs.c.scheduled_for, runs.c.missed_count,
    runs.c.started_at, runs.c.finished_at,
)  # fmt: skip
_names = select(jobs.c.id, jobs.c.name).where(jobs.c.id.in_(bindparam("ids", expanding=True)))


async def job_names(connection: AsyncConnection, job_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of jobs by their ids, also of deleted ones."""
    ids = list(set(job_ids))
    return {row.id: row.name for row in await connection.execute(_names, {"ids": ids})} if ids else {}


async def outcomes(
    connection: AsyncConnection, job_ids: Sequence[int], limit: int, *, owner_id: str | None = None
) -> dict[int, list[Outcome]]:
    """Return the newest `limit` rows of each job, newest first. Jobs of other owners than `owner_id` are left out."""
    if not job_ids:
        return {}
    chosen = select(jobs.c.id).where(jobs.c.id.in_(job_ids))
    chosen = chosen if owner_id is None else chosen.where(jobs.c.owner_id == owner_id)
    found: dict[int, list[Outcome]] = {job_id: [] for job_id in (await connection.execute(chosen)).scalars()}
    query = _newest(connection, chosen.subquery(), limit)
    for job_id, *row in await connection.execute(query):
        found[job_id].append(Outcome(*row))
    return found


async def expected_seconds(
    connection: AsyncConnection, job_ids: Iterable[int], *, owner_id: str | None = None
) -> dict[int, float]:
    """Return the median duration of each job's successes among its newest EXPECTED_FROM rows.

    Jobs of other owners than `owner_id` are left out.
    """
    spans = {
        job_id: [
            (outcome.finished_at - outcome.started_at).total_seconds()
            for outcome in found
            if outcome.status is RunStatus.SUCCESS
            and outcome.finished_at is not None
            and outcome.started_at is not None
        ]
        for job_id, found in (await outcomes(connection, list(set(job_ids)), EXPECTED_FROM, owner_id=owner_id)).items()
    }
    return {job_id: round(median(of_job), 6) for job_id, of_job in spans.items() if of_job}


async def neighbour(
    connection: AsyncConnection, run: Run, statuses: Collection[RunStatus] = (), *, is_next: bool = False
) -> int | None:
    """Return the id of the run of the same job before a run, or after it, with one of the statuses if there are any.

    Only the nearest NEIGHBOURS runs are searched. Return None if none of them fits.
    """
    of_job = runs.c.job_id == run.job_id
    near = select(runs.c.id, runs.c.status).where(of_job, runs.c.id > run.id).order_by(runs.c.id)
    if not is_next:
        near = select(runs.c.id, runs.c.status).where(of_job, runs.c.id < run.id).order_by(runs.c.id.desc())
    found = near.limit(NEIGHBOURS).subquery()
    query = select(func.min(found.c.id) if is_next else func.max(found.c.id))
    if statuses:
        query = query.where(found.c.status.in_(statuses))
    return (await connection.execute(query)).scalar()


def _newest(connection: AsyncConnection, chosen: Subquery, limit: int) -> Select[Any]:
    candidate = runs.alias("candidate")
    newest = (
        select(candidate.c.id).where(candidate.c.job_id == chosen.c.id).order_by(candidate.c.id.desc()).limit(limit)
    )
    source: FromClause
    if is_sqlite(connection):  # has no LATERAL, but evaluates such a subquery once for each job
        source = chosen.join(runs, runs.c.id.in_(newest.correlate(chosen)))
    else:
        each = lateral(newest.correlate(chosen), "newest")
        source = chosen.join(each, true()).join(runs, runs.c.id == each.c.id)
    return select(*_OUTCOME).select_from(source).order_by(runs.c.job_id, runs.c.id.desc())
