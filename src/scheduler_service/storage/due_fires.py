"""Fires a batch of due jobs: the ordinary ones together, the others by the ledger's decision about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.ordinary_fires import Advance, advances
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.storage import jobs, ledger, ordinary_fires
from scheduler_service.storage.ledger import Fired, StartTrace
from scheduler_service.storage.ordinary_fires import LockedJobs


@dataclass(frozen=True, slots=True)
class FiredBatch(Fired):
    """The result of firing a batch, and the number of jobs in it."""

    count: int = 0


async def fire_due(
    connection: AsyncConnection,
    now: datetime,
    limit: int,
    *,
    max_notices: int,
    trace: StartTrace | None = None,
    quotas: Quotas = NO_QUOTAS,
) -> FiredBatch:
    """Account for the due instants of up to `limit` jobs, and return notices for at most `max_notices` new runs.

    `trace` None means that nobody traces; otherwise each run needs a trace context of its own. Owners that have no
    quotas of their own have `quotas`.
    """
    locked = await ordinary_fires.lock_due(connection, now, limit, quotas)
    ordinary = [] if trace else [advance for group in locked.groups for advance in advances(group, now)]
    notices = await ordinary_fires.fire(connection, ordinary, now, max_notices)
    due = await jobs.find_due(connection, _undecided(locked, ordinary))
    fired = await ledger.fire(connection, due, now, trace or (lambda _job, _run: None), quotas)
    urgent = sorted((*notices, *fired.notices), key=lambda notice: -notice.priority)[:max_notices]
    return FiredBatch(tuple(urgent), fired.broken, locked.count)


def _undecided(locked: LockedJobs, ordinary: list[Advance]) -> list[int]:
    decided = {advance.job_id for advance in ordinary}
    return [*locked.others, *(job_id for group in locked.groups for job_id in group.job_ids if job_id not in decided)]
