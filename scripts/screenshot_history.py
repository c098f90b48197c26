"""Stores a week of runs for the screenshots: jobs that mostly succeed, some failures, and an outage of three hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert
from testkit.databases import add_job, migrate

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.storage import hour_totals, runs
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs as run_table

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
# Before now.
OUTAGE = (76 * HOUR, 73 * HOUR)


class _Past(NamedTuple):
    """A job of the past: its schedule, how long it runs, and of how many runs two fail and one is skipped."""

    name: str
    pattern: str
    minutes: int
    seconds: int
    fails: int
    skips: int

    def outcome(self, number: int) -> dict[str, Any]:
        """Return how the run of this number ended."""
        if number % self.skips == 1:
            return {"status": RunStatus.SKIPPED, "reason": Reason.OVERLAP}
        if number % self.fails in {0, 1}:
            return {"status": RunStatus.FAILED, "reason": Reason.EXIT_CODE, "exit_code": 1}
        return {"status": RunStatus.SUCCESS, "exit_code": 0}


_JOBS = (
    _Past("price feed", "*/15 * * * *", 15, 8, 97, 41),
    _Past("stock check", "*/30 * * * *", 30, 40, 61, 173),
    _Past("invoice import", "0 * * * *", 60, 95, 53, 211),
)


async def remember_a_week(data: Path) -> None:
    """Store the jobs and their runs in the database of a service that has not started yet."""
    url, now = f"sqlite:///{data}/scheduler.db", datetime.now(UTC)
    await migrate(url)
    database = Database(url)
    for past in _JOBS:
        await _remember(database, past, now)
    async with database.write() as connection:
        await hour_totals.recount(connection)
    await database.close()


async def _remember(database: Database, past: _Past, now: datetime) -> None:
    step = timedelta(minutes=past.minutes)
    begin = (now - WEEK).replace(hour=0, minute=0, second=0, microsecond=0)
    last = begin + (now - begin) // step * step
    job = await add_job(
        database,
        name=past.name,
        schedule_expr=past.pattern,
        tags=["warehouse"],
        **dict.fromkeys(("anchor_at", "created_at", "updated_at"), begin),
        next_run_at=last + step,
        last_run_at=last,
        last_run_status=RunStatus.SUCCESS,
    )
    async with database.write() as connection:
        for row in _rows(job, past, begin, last, now):
            await connection.execute(insert(run_table).values(row))


def _rows(job: Job, past: _Past, begin: datetime, last: datetime, now: datetime) -> Iterator[dict[str, Any]]:
    step = timedelta(minutes=past.minutes)
    down, up_again = (now - each for each in OUTAGE)
    instants = [begin + number * step for number in range((last - begin) // step + 1)]
    missed = [at for at in instants if down < at < up_again]
    for number, at in enumerate(instants):
        row = runs.queued_row(
            job_id=job.id,
            owner_id=job.owner_id,
            trigger=Trigger.SCHEDULE,
            scheduled_for=at,
            priority=job.priority,
            correlation_id=f"{job.id}-{number}",
            now=at,
        )
        if at in missed[1:]:
            continue
        if at in missed:
            span = {"missed_until": missed[-1], "missed_count": len(missed)}
            yield {**row, **span, "status": RunStatus.MISSED, "reason": Reason.MISFIRE, "finished_at": up_again}
            continue
        outcome = past.outcome(number)
        ran = {"attempt": 1, "worker_id": "w", "lateness_seconds": 0.01, "started_at": at}
        began = {} if outcome["status"] is RunStatus.SKIPPED else ran
        seconds = past.seconds + number % 7 if began else 0
        yield {**row, **began, **outcome, "finished_at": at + timedelta(seconds=seconds)}
