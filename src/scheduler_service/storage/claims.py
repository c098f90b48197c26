"""Claims runs for workers: queued → running, by one guarded UPDATE, as in `transitions`.

Theory of operation. A claim takes runs that this worker may execute. Fairness between owners comes first, then the
priority of a run, then its instant. At most one run of each job or concurrency key that limits its runs is taken. On
PostgreSQL it is one statement, which also inserts the attempts and returns the jobs. It skips runs that another claim
has locked. Two claims can see the same slot of a job or of an owner as free; a unique index then refuses the second
one. SQLite has one writer, so its claim is a short transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, Update, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.fair_turns import FairTurns
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage import claimable
from scheduler_service.storage import runs as run_rows
from scheduler_service.storage.dialect import is_sqlite, is_unique_violation
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.tables import attempts, jobs, runs, with_status

_begin_attempt = insert(attempts)
_job_of = select(jobs).where(jobs.c.id == bindparam("of_job"))
_held = select(runs).where(runs.c.worker_id == bindparam("of_worker"), with_status(RunStatus.RUNNING))
_ATTEMPT = ("run_id", "attempt", "worker_id", "started_at", "log_offset", "status")


class SlotTakenError(Exception):
    """Another claim took a concurrency slot that this one had seen as free. Nothing is claimed; a repetition helps."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this worker executes, with its job."""

    run: Run
    job: Job

    @property
    def began_at(self) -> datetime:
        """Return when the attempt started."""
        assert self.run.started_at is not None  # noqa: S101 (a CHECK of the table)
        return self.run.started_at

    @property
    def lease(self) -> Lease:
        """Return the lease that the claim created."""
        assert self.run.worker_id is not None  # noqa: S101 (a CHECK of the table)
        return Lease(self.run.id, self.run.attempt, self.run.worker_id, self.run.fault_count)


async def claim(
    connection: AnyConnection,
    worker_id: str,
    now: datetime,
    limit: int,
    routing: Routing = EVERYTHING,
    *,
    run_id: int | None = None,
    turns: FairTurns | None = None,
    max_concurrent_runs: int | None = None,
) -> list[Claimed]:
    """Claim up to `limit` due runs for a worker: queued → running, attempt + 1.

    The slots are divided between owners, and an owner's most urgent runs come first. `turns` are those of this worker.
    `max_concurrent_runs` is the quota of owners that have none of their own; None or 0: no limit.

    A worker that was declared dead gets none. Runs that `routing` assigns to other workers, and runs of jobs without a
    free concurrency slot, are left out. `run_id` restricts the claim to one run. Fewer runs than `limit` can be
    returned although more are due, because only one of each limited job is claimed at a time. Raise `SlotTakenError` if
    another worker was quicker.
    """
    binds: dict[str, Any] = {
        "of_worker": worker_id,
        "at": now,
        "limit": limit,
        "turns": (turns or FairTurns()).document(),
        "max_concurrent_runs": max_concurrent_runs,
    }
    if run_id is not None:
        binds["of_run"] = run_id
    try:
        if is_sqlite(connection):
            move = _move(routing, has_run=run_id is not None, of_sqlite=True)
            claimed = await _claim_in_steps(connection, move, binds)
        else:
            claimed = await _claim_at_once(connection, _claim(routing, has_run=run_id is not None), binds)
    except Exception as error:
        if is_unique_violation(error):
            raise SlotTakenError from error
        raise
    return sorted(claimed, key=lambda each: (-each.run.priority, each.run.available_at, each.run.id))


async def find_claimed(connection: AsyncConnection, worker_id: str) -> list[Claimed]:
    """Return all runs that a worker has claimed and not ended, among them those whose claim lost its answer."""
    found = (await connection.execute(_held, {"of_worker": worker_id})).mappings()
    return [Claimed(run, await run_rows.job_of(connection, run)) for run in [Run(**row) for row in found]]


async def _claim_at_once(connection: AnyConnection, statement: Any, binds: dict[str, Any]) -> list[Claimed]:
    names, count = list(runs.c.keys()), len(runs.c)
    rows = (await connection.execute(statement, binds)).all()
    return [
        Claimed(
            Run(**dict(zip(names, row[:count], strict=True))),
            Job(**dict(zip(jobs.c.keys(), row[count:], strict=True))),
        )
        for row in rows
    ]


async def _claim_in_steps(connection: AnyConnection, move: Update, binds: dict[str, Any]) -> list[Claimed]:
    """1. Move the runs. 2. Insert their attempts. 3. Read their jobs."""
    moved = [Run(**row) for row in (await connection.execute(move, binds)).mappings()]
    if not moved:
        return []
    await connection.execute(_begin_attempt, [_attempt_row(run) for run in moved])
    found = {job_id: await _job(connection, job_id) for job_id in {run.job_id for run in moved}}
    return [Claimed(run, found[run.job_id]) for run in moved]


async def _job(connection: AnyConnection, job_id: int) -> Job:
    return Job(**(await connection.execute(_job_of, {"of_job": job_id})).mappings().one())


def _attempt_row(run: Run) -> dict[str, Any]:
    values = (run.id, run.attempt, run.worker_id, run.started_at, run.log_bytes, RunStatus.RUNNING)
    return dict(zip(_ATTEMPT, values, strict=True))


@cache
def _move(routing: Routing, *, has_run: bool, of_sqlite: bool) -> Update:
    return claimable.move_to_running(claimable.chosen(routing, has_run=has_run, of_sqlite=of_sqlite))


@cache
def _claim(routing: Routing, *, has_run: bool) -> Select[Any]:
    """Return the statement for PostgreSQL: move the runs, insert their attempts, return the runs with their jobs."""
    moved = _move(routing, has_run=has_run, of_sqlite=False).cte("moved")
    begun = insert(attempts).from_select(
        _ATTEMPT,
        select(moved.c.id, moved.c.attempt, moved.c.worker_id, moved.c.started_at, moved.c.log_bytes, moved.c.status),
    )
    return select(*moved.c, *jobs.c).join_from(moved, jobs, jobs.c.id == moved.c.job_id).add_cte(begun.cte("begun"))
