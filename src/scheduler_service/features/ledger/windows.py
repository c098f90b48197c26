"""Reads the ledger of a window: of all jobs from the figures of each hour, of one job from its rows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.hours import HOUR, hour_of
from scheduler_service.domain.records import Job, Run, schedule_of
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.features.ledger import store
from scheduler_service.features.ledger.cells import (
    MAX_CELLS,
    Bucket,
    Counted,
    LedgerWindow,
    Period,
    cells_of,
    hours_of,
    not_owed,
)
from scheduler_service.features.ledger.instants import (
    LedgerInstants,
    PlannedInstant,
    newest_rows,
    next_instants_of_jobs,
)
from scheduler_service.services.job_rows import check_history
from scheduler_service.storage import hour_totals, jobs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.hour_counts import INSTANT

DEFAULT_WINDOW = timedelta(days=7)
MAX_PLANNED = 10_000


class LedgerWindowService:
    """Shows what became of each instant, and what is planned."""

    def __init__(self, database: Database, clock: Clock, *, retention_days: float) -> None:
        """Show no instants whose rows the retention may have deleted."""
        self._database = database
        self._clock = clock
        self._kept = timedelta(days=retention_days)

    @property
    def kept(self) -> timedelta:
        """Return for how long rows are kept."""
        return self._kept

    def period(self, since: datetime | None, until: datetime | None, bucket: Bucket) -> Period:
        """Return the window in whole hours within the retention time; by default the last seven days.

        Raise `InvalidInputError` if it has more than MAX_CELLS cells.
        """
        now = self._clock.now()
        end = now if until is None else until
        oldest = hour_of(now - self._kept) + HOUR
        begin = max(end - DEFAULT_WINDOW if since is None else since, oldest)
        end = max(hour_of(end - timedelta.resolution) + HOUR, begin)
        if (end - begin) / (HOUR if bucket == "hour" else timedelta(days=1)) > MAX_CELLS:
            remedy = f"must leave at most {MAX_CELLS:,} cells; choose a shorter window, or bucket=day"
            raise InvalidInputError(FieldProblem("to", remedy))
        return Period(hour_of(begin), end)

    async def of_all(
        self, caller: Caller, owner_id: str | None, period: Period, bucket: Bucket, zone: ZoneInfo
    ) -> LedgerWindow:
        """Return the ledger of all jobs that the caller may reach, or of those of one owner.

        Of each job, only the next instant is planned.
        """
        caller.require(Scope.READ)
        owner = caller.bound if owner_id is None else owner_id
        if caller.bound not in (None, owner):
            return LedgerWindow(period, bucket, (), is_planned_cut=False)
        async with self._database.snapshot() as snapshot:
            ended = await hour_totals.read(snapshot, (INSTANT,), period.begin, period.end, owner_id=owner)
            counted = [Counted(each.hour, each.status, each.reason, each.instants) for each in ended[INSTANT]]
            counted += await store.active_instants(snapshot, period.begin, period.end, owner)
            due = await store.planned_by_hour(snapshot, period.begin, period.end, owner, MAX_PLANNED + 1)
        is_cut = sum(count for _, count in due) > MAX_PLANNED
        if is_cut:  # by one, in the last hour
            due[-1] = (due[-1][0], due[-1][1] - 1)
        return LedgerWindow(period, bucket, cells_of(counted, due, bucket, zone), is_planned_cut=is_cut)

    async def of_job(self, caller: Caller, job_id: int, period: Period, bucket: Bucket, zone: ZoneInfo) -> LedgerWindow:
        """Return the ledger of a job, also of a deleted one. Raise `NotFoundError` for an unknown job."""
        caller.require(Scope.READ)
        async with self._database.snapshot() as snapshot:
            await check_history(snapshot, caller, job_id)
            counted = await store.instants_of(snapshot, job_id, period.begin, period.end)
            spans = await store.spans_of(snapshot, job_id, period.begin)
            job = await jobs.find(snapshot, job_id)
        planned = [] if job is None else await asyncio.to_thread(_planned, job, period, MAX_PLANNED + 1)
        return LedgerWindow(
            period,
            bucket,
            cells_of(counted, hours_of(planned[:MAX_PLANNED]), bucket, zone),
            is_planned_cut=len(planned) > MAX_PLANNED,
            not_owed=not_owed(spans, period, self._clock.now()),
        )

    async def instants_of_all(self, caller: Caller, owner_id: str | None, period: Period, limit: int) -> LedgerInstants:
        """Return up to `limit` rows and as many next instants of all jobs, as `of_all` chooses them."""
        caller.require(Scope.READ)
        owner = caller.bound if owner_id is None else owner_id
        if caller.bound not in (None, owner):
            return LedgerInstants((), (), (), is_cut=False)
        async with self._database.snapshot() as snapshot:
            rows = await newest_rows(snapshot, period, limit + 1, job_id=None, owner_id=owner)
            planned = await next_instants_of_jobs(snapshot, period, limit + 1, owner)
        is_cut = max(len(rows), len(planned)) > limit
        return LedgerInstants(tuple(reversed(rows[:limit])), tuple(planned[:limit]), (), is_cut=is_cut)

    async def instants_of_job(self, caller: Caller, job_id: int, period: Period, limit: int) -> LedgerInstants:
        """Return up to `limit` rows and as many planned instants of a job. Raise `NotFoundError` for an unknown job."""
        caller.require(Scope.READ)
        async with self._database.snapshot() as snapshot:
            await check_history(snapshot, caller, job_id)
            rows = await newest_rows(snapshot, period, limit + 1, job_id=job_id, owner_id=None)
            spans = await store.spans_of(snapshot, job_id, period.begin)
            job = await jobs.find(snapshot, job_id)
        planned = [] if job is None else await asyncio.to_thread(_planned, job, period, limit + 1)
        return LedgerInstants(
            tuple(reversed(rows[:limit])),
            tuple(PlannedInstant(at, job_id, "" if job is None else job.name) for at in planned[:limit]),
            not_owed(spans, period, self._clock.now()),
            is_cut=max(len(rows), len(planned)) > limit,
        )

    async def range_into(self, caller: Caller, job_id: int, at: datetime) -> Run | None:
        """Return the row of missed instants of a job that begins before an instant and reaches it, or None.

        Raise `NotFoundError` for an unknown job.
        """
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            await check_history(connection, caller, job_id)
            row = await store.row_before(connection, job_id, at)
        return row if row is not None and row.missed_until is not None and row.missed_until >= at else None


def _planned(job: Job, period: Period, limit: int) -> list[datetime]:
    """Return the first instants of a job that are to come within a period."""
    if job.next_run_at is None or job.schedule_expr is None:
        return []
    end = period.end if job.end_at is None else min(period.end, job.end_at + timedelta.resolution)
    if job.next_run_at >= end:
        return []
    first = [job.next_run_at] if job.next_run_at >= period.begin else []
    after = max(job.next_run_at, period.begin - timedelta.resolution)
    following = schedule_of(job).between(after, end - timedelta.resolution)
    return [*first, *islice(following, limit - len(first))]
