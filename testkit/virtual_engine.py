"""The real dispatcher on a virtual clock, with a worker whose runs take a stated time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs, runs
from testkit.doubles import FakeClock, RecordingBroker

STEP = timedelta(seconds=30)
Spans = Sequence[tuple[float, float]]
"""Spans of minutes after the beginning."""

_running = runs.c.status == RunStatus.RUNNING


def _may_begin(now: datetime) -> ColumnElement[bool]:
    return or_(runs.c.start_by.is_(None), runs.c.start_by >= now)


@dataclass(frozen=True, slots=True)
class VirtualEngine:
    """Advances in steps of half a minute. `lengths` says how long the runs of each job take."""

    database: Database
    clock: FakeClock
    lengths: Mapping[int, timedelta]

    async def run_until(self, end: datetime, outages: Spans) -> None:
        """Run the dispatcher, except in outages, and the worker until an instant."""
        dispatcher = Dispatcher(self.database, RecordingBroker(), self.clock, tick_seconds=1)
        begin = self.clock.now()
        while self.clock.now() < end:
            await self._execute()
            minute = (self.clock.now() - begin).total_seconds() / 60
            if not any(start <= minute < stop for start, stop in outages):
                await dispatcher.tick()
            await self._execute()
            self.clock.advance(STEP.total_seconds())

    async def _execute(self) -> None:
        """End the runs that are over or cancelled, and begin those that wait while their jobs have free slots."""
        now = self.clock.now()
        success = {"status": RunStatus.SUCCESS, "exit_code": 0, "finished_at": now}
        cancelled = {"status": RunStatus.CANCELLED, "reason": runs.c.cancel_reason, "finished_at": now}
        began = {"status": RunStatus.RUNNING, "started_at": now, "attempt": 1, "worker_id": "w"}
        async with self.database.write() as connection:
            asked = runs.c.cancel_requested_at.is_not(None)
            await connection.execute(update(runs).where(_running, asked).values(cancelled))
            held = (await connection.execute(select(runs.c.id, runs.c.job_id, runs.c.started_at).where(_running))).all()
            over = {row.id for row in held if row.started_at <= now - self.lengths[row.job_id]}
            await connection.execute(update(runs).where(runs.c.id.in_(over)).values(success))
            taken: dict[int, int] = {}
            for row in held:
                taken[row.job_id] = taken.get(row.job_id, 0) + (row.id not in over)
            waiting = (
                select(runs.c.id, runs.c.job_id, jobs.c.overlap_policy, jobs.c.max_concurrency)
                .join(jobs, jobs.c.id == runs.c.job_id)
                .where(runs.c.status == RunStatus.QUEUED, runs.c.available_at <= now, _may_begin(now))
                .order_by(runs.c.id)
            )
            chosen = []
            for run in await connection.execute(waiting):
                if run.overlap_policy == "allow" or taken.get(run.job_id, 0) < run.max_concurrency:
                    taken[run.job_id] = taken.get(run.job_id, 0) + 1
                    chosen.append(run.id)
            await connection.execute(update(runs).where(runs.c.id.in_(chosen)).values(began))
