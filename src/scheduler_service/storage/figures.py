"""How things stand now, in figures: each by an index that holds little more than what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import ACTIVE, JobStatus, RunStatus
from scheduler_service.storage import dispatchers, totals, workers
from scheduler_service.storage.records import Worker
from scheduler_service.storage.tables import jobs, runs, with_status
from scheduler_service.storage.totals import Total


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One look at the database. `queued_since` is since when the run waits that waits longest; None: none waits."""

    totals: tuple[Total, ...]
    active: Mapping[RunStatus, int]
    queued_since: datetime | None
    jobs: Mapping[JobStatus, int]
    workers: tuple[Worker, ...]
    ticked_at: datetime | None


async def read(connection: AsyncConnection) -> Figures:
    """Look at everything."""
    return Figures(
        totals=tuple(await totals.read(connection)),
        active=await _active(connection),
        queued_since=await _queued_since(connection),
        jobs=await _jobs(connection),
        workers=tuple(await workers.known(connection)),
        ticked_at=await dispatchers.last_ticked_at(connection),
    )


async def _active(connection: AsyncConnection) -> dict[RunStatus, int]:
    query = select(runs.c.status, func.count()).where(with_status(*ACTIVE)).group_by(runs.c.status)
    return dict((await connection.execute(query)).all())


async def _queued_since(connection: AsyncConnection) -> datetime | None:
    query = select(func.min(runs.c.available_at)).where(with_status(RunStatus.QUEUED))
    instant: datetime | None = (await connection.execute(query)).scalar_one()
    return instant


async def _jobs(connection: AsyncConnection) -> dict[JobStatus, int]:
    query = select(jobs.c.status, func.count()).where(jobs.c.deleted_at.is_(None)).group_by(jobs.c.status)
    return dict((await connection.execute(query)).all())
