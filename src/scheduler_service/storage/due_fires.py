"""Fires a batch of due jobs: the ordinary ones together, the others by the ledger's decision about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.ordinary_fires import Advance, advances
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.storage import jobs, ledger, ordinary_fires
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.ledger import Fired, StartTrace
from scheduler_service.storage.ordinary_fires import LockedJobs


@dataclass(frozen=True, slots=True)
class FiredBatch(Fired):
    """The result of firing a batch, and the number of jobs in it. `left` are the ids of those that have not fired."""

    count: int = 0
    left: tuple[int, ...] = ()


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
    ordinary = [] if trace else _ordinary(locked, now)
    notices = await ordinary_fires.fire(connection, ordinary, now, max_notices)
    due = await jobs.find_due(connection, _undecided(locked, ordinary))
    fired = await ledger.fire(connection, due, now, trace or (lambda _job, _run: None), quotas)
    return FiredBatch(_urgent((*notices, *fired.notices), max_notices), fired.broken, locked.count)


async def fire_ordinary(
    connection: AnyConnection, now: datetime, limit: int, *, max_notices: int, quotas: Quotas = NO_QUOTAS
) -> FiredBatch:
    """Fire the ordinary ones among up to `limit` due jobs, as `fire_due` does, and leave the others due."""
    locked = await ordinary_fires.lock_due(connection, now, limit, quotas)
    ordinary = _ordinary(locked, now)
    notices = await ordinary_fires.fire(connection, ordinary, now, max_notices)
    return FiredBatch(_urgent(notices, max_notices), (), locked.count, tuple(_undecided(locked, ordinary)))


def _ordinary(locked: LockedJobs, now: datetime) -> list[Advance]:
    return [advance for group in locked.groups for advance in advances(group, now)]


def _undecided(locked: LockedJobs, ordinary: list[Advance]) -> list[int]:
    decided = {advance.job_id for advance in ordinary}
    return [*locked.others, *(job_id for group in locked.groups for job_id in group.job_ids if job_id not in decided)]


def _urgent(notices: tuple[RunNotice, ...], count: int) -> tuple[RunNotice, ...]:
    return tuple(sorted(notices, key=lambda notice: -notice.priority)[:count])
