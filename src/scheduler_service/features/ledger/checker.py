"""The regular check of the ledger, which a dispatcher runs beside its ticks.

Theory of operation. A check has a row of its own, which says how far it is. It goes through all jobs in pages, and
rests after each, so that it slows nothing else. Several dispatchers can run this loop. The id of a new check, which
only one insertion gets, decides who begins it. The holder alone continues it. If the holder ends, another dispatcher
takes the check over when `held_until` has passed, and continues after the last page that was stored. A page is stored
by one guarded update, so no page counts twice.

The window of a check begins where every instant had been fired when the previous check began. A dispatcher that is late
therefore hides no instant: what was not fired yet is in the next window.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from scheduler_service.features.ledger import check_store, store
from scheduler_service.features.ledger.comparison import check_job
from scheduler_service.features.ledger.records import Difference, Finding, RegularCheck
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

PAGE_JOBS = 50
# A page ends after this time even if it has few jobs, long before its holder seems to be gone.
PAGE_SECONDS, PAGE_REST_SECONDS = 1.0, 0.5
LOOK_SECONDS = 60.0
HOLD = timedelta(seconds=60)
MAX_FIRST_WINDOW = timedelta(days=1)
NAMED_FINDINGS = 10

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Page:
    """The result of a page of jobs. `is_last`: there are no further jobs."""

    last_job: int
    jobs: int = 0
    owed: int = 0
    findings: list[Finding] = field(default_factory=list)
    is_last: bool = False

    def add(self, job_id: int, owed: int, differences: Sequence[Difference]) -> None:
        """Count a job, and keep the first of its differences."""
        self.last_job = job_id
        self.jobs += 1
        self.owed += owed
        if differences:
            first = min(differences, key=lambda each: each.scheduled_for)
            self.findings.append(Finding(job_id, len(differences), first.kind, first.scheduled_for))


class LedgerChecker:
    """Checks all jobs over the window since the last check, every so many seconds."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        interval_seconds: float,
        retention_days: float,
        page_jobs: int = PAGE_JOBS,
    ) -> None:
        """Check no instants whose rows the retention may have deleted."""
        self._database = database
        self._clock = clock
        self._interval = timedelta(seconds=interval_seconds)
        self._kept = timedelta(days=retention_days)
        self._page_jobs = page_jobs
        self._name = uuid4().hex

    async def step(self) -> float:
        """Check the next page of jobs if a check is due and no other process holds it. Return the rest in seconds."""
        now = self._clock.now()
        async with self._database.read() as connection:
            newest = await check_store.newest(connection)
        if newest is None or newest.ended_at is not None:
            held = await self._begin(newest, now)
        else:
            held = await self._hold(newest, now)
        if held is None:
            return min(LOOK_SECONDS, self._interval.total_seconds())
        return await self._check_page(held)

    async def _begin(self, last: RegularCheck | None, now: datetime) -> RegularCheck | None:
        """Begin a check and return it, or return None if none is due or another process begins it."""
        # A clock that was set back must not delay the next check.
        if last is not None and abs(now - last.begun_at) < self._interval:
            return None
        async with self._database.read() as connection:
            due = await check_store.earliest_due(connection)
        since = now - min(self._interval, MAX_FIRST_WINDOW) if last is None else min(last.settled_at, now)
        check = RegularCheck(
            id=1 if last is None else last.id + 1,
            since=max(since, now - self._kept),
            begun_at=now,
            settled_at=now if due is None else min(due, now),
            ended_at=None,
            holder=self._name,
            held_until=now + HOLD,
            after_job=0,
            jobs=0,
            owed=0,
            unaccounted=0,
        )
        async with self._database.write() as connection:
            return check if await check_store.begin(connection, check) else None

    async def _hold(self, check: RegularCheck, now: datetime) -> RegularCheck | None:
        """Return the check that is under way if this process holds it or takes it over, or None."""
        if check.holder == self._name:
            return check
        if now < check.held_until <= now + HOLD:
            return None
        until = now + HOLD
        async with self._database.write() as connection:
            is_taken = await check_store.take_over(connection, check, self._name, until)
        return replace(check, holder=self._name, held_until=until) if is_taken else None

    async def _check_page(self, check: RegularCheck) -> float:
        page = await self._read_page(check)
        now = self._clock.now()
        after = replace(
            check,
            ended_at=now if page.is_last else None,
            held_until=now + HOLD,
            after_job=page.last_job,
            jobs=check.jobs + page.jobs,
            owed=check.owed + page.owed,
            unaccounted=check.unaccounted + sum(finding.instants for finding in page.findings),
        )
        async with self._database.write() as connection:
            is_mine = await check_store.note_page(connection, check, after, page.findings)
        if is_mine and page.is_last:
            await self._tell(after)
        return min(LOOK_SECONDS, self._interval.total_seconds()) if page.is_last else PAGE_REST_SECONDS

    async def _read_page(self, check: RegularCheck) -> _Page:
        """Check the jobs after the last page. One snapshot of all costs less than half of one for each."""
        page, began = _Page(check.after_job), time.monotonic()
        async with self._database.snapshot() as snapshot:
            ids = await store.job_ids(snapshot, None, None, check.after_job, self._page_jobs)
            for job_id, spans in (await store.spans_of_jobs(snapshot, ids, check.since)).items():
                if page.jobs and time.monotonic() - began > PAGE_SECONDS:
                    return page
                owed, differences = await check_job(snapshot, spans, check.since, check.begun_at)
                page.add(job_id, owed, differences)
        page.is_last = len(ids) < self._page_jobs
        return page

    async def _tell(self, check: RegularCheck) -> None:
        about = {"since": check.since.isoformat(), "jobs": check.jobs, "owed": check.owed}
        if not check.unaccounted:
            log.info("ledger_checked", **about)
            return
        async with self._database.read() as connection:
            found = await check_store.findings_of(connection, check.id, limit=NAMED_FINDINGS)
        first = [f"job {each.job_id}: {each.scheduled_for.isoformat()} ({each.kind})" for each in found]
        log.warning("ledger_instants_unaccounted", **about, unaccounted=check.unaccounted, first=first)
