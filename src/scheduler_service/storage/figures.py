"""Counts the current state of jobs, runs and workers with small partial indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import ACTIVE, JobStatus, RunStatus
from scheduler_service.storage import dispatchers, totals, workers
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.tables import jobs, runs, with_status
from scheduler_service.storage.totals import Total

_NO_TEST = " AND \"trigger\" <> 'test'"
_OWNED = " AND job_id IN (SELECT id FROM jobs WHERE owner_id = :owner)"


@dataclass(frozen=True, slots=True)
class Backlog:
    """The runs that have not ended, and when the longest waiting one was queued, or None if none is queued."""

    active: Mapping[RunStatus, int]
    queued_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The current figures. `queued_since` is when the longest waiting run was queued, or None if none is queued."""

    totals: tuple[Total, ...]
    active: Mapping[RunStatus, int]
    queued_since: datetime | None
    jobs: Mapping[JobStatus, int]
    workers: tuple[Worker, ...]
    ticked_at: datetime | None


async def read(snapshot: AsyncConnection) -> Figures:
    """Return all figures from one `Database.snapshot`."""
    backlog = await read_backlog(snapshot)
    return Figures(
        totals=tuple(await totals.read(snapshot)),
        active=backlog.active,
        queued_since=backlog.queued_since,
        jobs=await _jobs(snapshot),
        workers=tuple(await workers.all_workers(snapshot)),
        ticked_at=await dispatchers.last_ticked_at(snapshot),
    )


async def read_backlog(connection: AsyncConnection, owner_id: str | None = None) -> Backlog:
    """Return the runs that have not ended, of all owners or of one."""
    owned, binds = ("", {}) if owner_id is None else (_OWNED, {"owner": owner_id})
    return Backlog(await _active(connection, owned, binds), await _queued_since(connection, owned, binds))


async def _active(connection: AsyncConnection, owned: str, binds: Mapping[str, str]) -> dict[RunStatus, int]:
    condition = f"{with_status(*ACTIVE)}{_NO_TEST}{owned}"
    table = _runs(connection, "ix_runs_active")
    query = f"SELECT status, count(*) FROM {table} WHERE {condition} GROUP BY status"  # noqa: S608 (words of ours)
    rows = await connection.execute(text(query).columns(status=runs.c.status.type), binds)
    return dict(rows.all())


async def _queued_since(connection: AsyncConnection, owned: str, binds: Mapping[str, str]) -> datetime | None:
    condition = f"{with_status(RunStatus.QUEUED)}{_NO_TEST}{owned}"
    table = _runs(connection, "ix_runs_queued")
    query = f"SELECT min(available_at) AS at FROM {table} WHERE {condition}"  # noqa: S608 (words of ours)
    found = await connection.execute(text(query).columns(at=runs.c.available_at.type), binds)
    instant: datetime | None = found.scalar_one()
    return instant


def _runs(connection: AsyncConnection, index: str) -> str:
    """Return the table name, with an index hint for SQLite, which scans a short table without statistics."""
    return f"runs INDEXED BY {index}" if is_sqlite(connection) else "runs"


async def _jobs(connection: AsyncConnection) -> dict[JobStatus, int]:
    query = select(jobs.c.status, func.count()).where(jobs.c.deleted_at.is_(None)).group_by(jobs.c.status)
    return dict((await connection.execute(query)).all())
