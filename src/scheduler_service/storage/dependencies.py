"""Jobs that run after other jobs: their upstream jobs, the ends of upstream runs, and what runs receive from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.dependencies import AwaitedEnd, Dependency
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.dependency_tables import ended_upstreams, job_dependencies, run_upstreams
from scheduler_service.storage.tables import jobs, runs

_SHOWN_JOBS = 10


@dataclass(frozen=True, slots=True)
class UpstreamEnd:
    """What the present round of a job has brought of one of its upstream jobs. `run_id` None: nothing yet."""

    upstream_id: int
    awaited_end: AwaitedEnd
    run_id: int | None
    status: RunStatus | None
    result: Any


@dataclass(frozen=True, slots=True)
class Origin:
    """The run after which a run began, and the results that it receives."""

    upstream_run_id: int
    input: Any


@dataclass(frozen=True, slots=True)
class NotedEnd:
    """A run that has ended, and the id of its note, which is greater than those of earlier ends of its job."""

    note_id: int
    run: Run


@dataclass(frozen=True, slots=True)
class Followers:
    """Jobs that run after a job."""

    upstream_id: int
    job_ids: list[int]


async def replace(connection: AsyncConnection, job_id: int, dependencies: Iterable[Dependency]) -> None:
    """Store the upstream jobs of a job. Its present round begins again.

    Ends of a new upstream job that are noted already lie before the edge. Those of one that stays still count.
    """
    table = job_dependencies.c
    kept = dict(
        (await connection.execute(select(table.upstream_id, table.noted_after).where(table.job_id == job_id))).all()
    )
    await connection.execute(delete(job_dependencies).where(table.job_id == job_id))
    wanted = list(dependencies)
    noted = await _newest_notes(connection, [each.job for each in wanted if each.job not in kept])
    rows = [
        {
            "job_id": job_id,
            "upstream_id": each.job,
            "awaited_end": each.on,
            "noted_after": kept.get(each.job, noted.get(each.job, 0)),
        }
        for each in wanted
    ]
    if rows:
        await connection.execute(insert(job_dependencies), rows)


async def _newest_notes(connection: AsyncConnection, job_ids: Sequence[int]) -> dict[int, int]:
    """Return the newest note of each of these jobs that has any."""
    if not job_ids:
        return {}
    table = ended_upstreams.c
    query = select(table.job_id, func.max(table.id)).where(table.job_id.in_(job_ids)).group_by(table.job_id)
    return dict((await connection.execute(query)).all())


async def edges_above(
    connection: AsyncConnection, job_ids: Iterable[int], *, lock: bool = False
) -> dict[int, list[int]]:
    """Return the upstream jobs of these jobs and of all jobs above them.

    `lock` prevents their changes until the commit. Two changes at the same time could otherwise close a cycle that
    neither of them sees.
    """
    edges, level = dict[int, list[int]](), set(job_ids)
    while level:
        table = job_dependencies.c
        if lock:
            locked = select(jobs.c.id).where(jobs.c.id.in_(level)).order_by(jobs.c.id).with_for_update(read=True)
            await connection.execute(locked)
        query = select(table.job_id, table.upstream_id).where(table.job_id.in_(level))
        edges.update({job_id: [] for job_id in level})
        for row in await connection.execute(query):
            edges[row.job_id].append(row.upstream_id)
        level = {upstream for job_id in level for upstream in edges[job_id]} - edges.keys()
    return edges


async def remove(connection: AsyncConnection, job_ids: Sequence[int]) -> None:
    """Remove the edges of jobs to their upstream jobs."""
    await connection.execute(delete(job_dependencies).where(job_dependencies.c.job_id.in_(job_ids)))


async def retain(connection: AsyncConnection, job_id: int, dependencies: Iterable[Dependency]) -> None:
    """Remove the edges of a job to all other upstream jobs."""
    others = job_dependencies.c.upstream_id.not_in([each.job for each in dependencies])
    await connection.execute(delete(job_dependencies).where(job_dependencies.c.job_id == job_id, others))


async def owners_of(connection: AsyncConnection, job_ids: Iterable[int]) -> dict[int, str]:
    """Return the owner of each of these jobs that exists."""
    query = select(jobs.c.id, jobs.c.owner_id).where(jobs.c.id.in_(list(job_ids)), jobs.c.deleted_at.is_(None))
    return dict((await connection.execute(query)).all())


async def some_after(connection: AsyncConnection, job_ids: Sequence[int]) -> Followers | None:
    """Return the first of these jobs after which others run, with some of them, or None if none is."""
    table = job_dependencies.c
    query = select(table.upstream_id, table.job_id).where(table.upstream_id.in_(job_ids))
    rows = (await connection.execute(query.order_by(table.upstream_id, table.job_id).limit(_SHOWN_JOBS))).all()
    if not rows:
        return None
    upstream_id = rows[0].upstream_id
    return Followers(upstream_id, [row.job_id for row in rows if row.upstream_id == upstream_id])


async def ends_of(connection: AsyncConnection, job_id: int) -> list[UpstreamEnd]:
    """Return what the present round of a job has brought of each upstream job, by their ids."""
    table = job_dependencies.c
    query = (
        select(table.upstream_id, table.awaited_end, table.run_id, table.status, table.result)
        .where(table.job_id == job_id)
        .order_by(table.upstream_id)
    )
    return [UpstreamEnd(*row) for row in await connection.execute(query)]


async def has_any(connection: AsyncConnection) -> bool:
    """Return whether any job runs after another one."""
    return (await connection.execute(select(job_dependencies.c.job_id).limit(1))).one_or_none() is not None


async def take_ended(connection: AsyncConnection) -> NotedEnd | None:
    """Remove the oldest note of an ended run that no other dispatcher works on, and return it, or None without one.

    Notes of runs that have been deleted since are removed as well.
    """
    oldest = select(ended_upstreams.c.id).order_by(ended_upstreams.c.id).limit(1).with_for_update(skip_locked=True)
    while True:
        taken = delete(ended_upstreams).where(ended_upstreams.c.id == oldest.scalar_subquery())
        note = (await connection.execute(taken.returning(ended_upstreams.c.id, ended_upstreams.c.run_id))).one_or_none()
        if note is None:
            return None
        row = (await connection.execute(select(runs).where(runs.c.id == note.run_id))).mappings().one_or_none()
        if row is not None:
            return NotedEnd(note.id, Run(**row))


async def has_ended(connection: AsyncConnection) -> bool:
    """Return whether a run has ended after which jobs may run. It takes no lock."""
    return (await connection.execute(select(ended_upstreams.c.id).limit(1))).one_or_none() is not None


async def lock_jobs_after(connection: AsyncConnection, end: NotedEnd) -> list[Job]:
    """Return the jobs that ran after a job when its run ended, and prevent their changes until the commit."""
    table = job_dependencies.c
    below = select(table.job_id).where(table.upstream_id == end.run.job_id, table.noted_after < end.note_id)
    query = select(jobs).where(jobs.c.id.in_(below), jobs.c.deleted_at.is_(None)).order_by(jobs.c.id)
    return [Job(**row) for row in (await connection.execute(query.with_for_update())).mappings()]


async def note_end(connection: AsyncConnection, job: Job, run: Run) -> None:
    """Store the end of an upstream run in the present round of a job."""
    values = {"run_id": run.id, "status": run.status, "result": run.result}
    is_edge = (job_dependencies.c.job_id == job.id, job_dependencies.c.upstream_id == run.job_id)
    await connection.execute(update(job_dependencies).where(*is_edge).values(values))


async def end_round(connection: AsyncConnection, job: Job) -> None:
    """Begin the next round of a job."""
    nothing = {"run_id": None, "status": None, "result": None}
    await connection.execute(update(job_dependencies).where(job_dependencies.c.job_id == job.id).values(nothing))


async def store_origin(connection: AsyncConnection, run_id: int, origin: Origin) -> None:
    """Store after which run a run began."""
    values = {"run_id": run_id, "upstream_run_id": origin.upstream_run_id, "input": origin.input}
    await connection.execute(insert(run_upstreams).values(values))


async def find_origin(connection: AsyncConnection, run_id: int) -> Origin | None:
    """Return after which run a run began, or None if it began by itself."""
    table = run_upstreams.c
    query = select(table.upstream_run_id, table.input).where(table.run_id == run_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Origin(*row)


async def runs_after(connection: AsyncConnection, run_ids: Iterable[int], limit: int) -> dict[int, int]:
    """Return up to `limit` runs that began after these runs, each with its upstream run."""
    table = run_upstreams.c
    query = select(table.run_id, table.upstream_run_id).where(table.upstream_run_id.in_(list(run_ids)))
    return dict((await connection.execute(query.order_by(table.run_id).limit(limit))).all())
