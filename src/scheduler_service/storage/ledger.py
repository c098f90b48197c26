"""Fires due jobs: every due instant gets exactly one row, in the transaction that advances its job.

Theory of operation. A dispatcher locks due jobs, skipping those that another dispatcher has locked. `fire` decides by
the pure rules of `domain/firing`, inserts the rows and moves `next_run_at` by compare-and-set. A unique constraint on
(job, instant) is the last guard: no instant can get two rows, even if clocks go backwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.firing import Decision, Fire, Miss, Skip
from scheduler_service.domain.job_decision import decide_for, start_window
from scheduler_service.domain.pauses import failures_text
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.records import DueJob
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.storage import calendars
from scheduler_service.storage import runs as run_rows
from scheduler_service.storage.cancellations import cancel_all
from scheduler_service.storage.dialect import insert_or_ignore, is_sqlite
from scheduler_service.storage.events import newest_change
from scheduler_service.storage.run_budget import RunBudget
from scheduler_service.storage.tables import WAITING, has_start_deadline, jobs, runs, with_status

_NOT_YET = {
    "reason": None,
    "message": None,
    "missed_until": None,
    "missed_count": None,
    "finished_at": None,
    "start_by": None,
}
# Built once, as in `transitions`.
_earliest_due = (
    select(func.min(jobs.c.next_run_at)).where(jobs.c.next_run_at.is_not(None)).scalar_subquery(),
    select(func.min(runs.c.start_by)).where(has_start_deadline()).scalar_subquery(),
    select(func.min(jobs.c.paused_until)).where(jobs.c.paused_until.is_not(None)).scalar_subquery(),
    select(func.min(runs.c.available_at)).where(with_status(*WAITING), runs.c.notified_at.is_(None)).scalar_subquery(),
)
_move_on = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("of_job"),
        jobs.c.schedule_version == bindparam("of_version"),
        jobs.c.next_run_at == bindparam("from_instant"),
    )
    .values(
        next_run_at=bindparam("to_instant"),
        status=bindparam("to_status"),
        scheduled_runs=jobs.c.scheduled_runs + bindparam("fired"),
        pause_reason=bindparam("to_pause_reason"),
    )
)


StartTrace = Callable[[int, str], str | None]
"""Returns the trace context of a new run, by job id and correlation id; None: nobody traces."""


@cache
def _look(*, of_sqlite: bool) -> Select[Any]:
    return select(*_earliest_due, newest_change(of_sqlite=of_sqlite))


@dataclass(frozen=True, slots=True)
class Fired:
    """The result of firing: the runs whose workers are notified after the commit, and the jobs that could not fire."""

    notices: tuple[RunNotice, ...]
    broken: tuple[tuple[DueJob, Exception], ...] = ()


@dataclass(frozen=True, slots=True)
class Earliest:
    """The earliest instant of a job, start deadline of a run, end of a pause, and end of another wait. None: none.

    `newest_change` numbers the newest change of a job or run that readers of events can see.
    """

    due_at: datetime | None
    start_by: datetime | None
    paused_until: datetime | None
    waits_until: datetime | None
    newest_change: int


async def earliest_due(connection: AsyncConnection) -> Earliest:
    """Return what is due first. One query without locks returns it all, because every tick starts with it."""
    return Earliest(*(await connection.execute(_look(of_sqlite=is_sqlite(connection)))).one())


async def fire(
    connection: AsyncConnection,
    due: Sequence[DueJob],
    now: datetime,
    trace: StartTrace = lambda _job, _run: None,
    quotas: Quotas = NO_QUOTAS,
) -> Fired:
    """Account for the due instants of jobs that the caller has locked. `quotas` are those of owners without others.

    1. Count each job's active runs, and decide what each instant becomes, as far as the quotas of owners allow.
    2. Cancel the runs that the overlap policy replaces.
    3. Insert the rows. Ignore an instant that has a row, which happens after a clock went backwards.
    4. Move each job to its next instant by compare-and-set, or finish it if there is none.

    A job whose schedule fails to compute, for example because its time zone was removed, is paused and reported. It
    must not block the others.
    """
    if not due:
        return Fired(())
    active = await run_rows.count_active(connection, [job.id for job in due])
    stored = await calendars.read_for(connection, due)
    budget = await RunBudget.open(connection, [job.owner_id for job in due], now, quotas)
    decisions: list[tuple[DueJob, Decision]] = []
    broken: list[tuple[DueJob, Exception]] = []
    for job in due:
        try:
            calendar = calendars.calendar_of(job, stored)
            decision = decide_for(job, now, active.get(job.id, 0), calendar, budget.left(job.owner_id))
            budget.spend(job.owner_id, _fires(decision))
            decisions.append((job, decision))
        except Exception as error:  # noqa: BLE001 (the per-job guard: one job must not stop all)
            broken.append((job, error))
    await budget.store(connection)
    for job, decision in decisions:
        if any(isinstance(entry, Fire) and entry.cancels_others for entry in decision.entries):
            await cancel_all(connection, [job.id], Reason.OVERLAP, now)
    rows = [row for job, decision in decisions for row in _rows(job, decision, now, trace, budget)]
    notices = await _insert(connection, rows, {job.id: tuple(job.tags) for job in due})
    moves = [_move(job, decision) for job, decision in decisions]
    moves += [move for job, decision in decisions for move in _pause_after_failures(job, decision.next_run_at)]
    moves += [_pause(job, job.next_run_at, "its schedule cannot be computed") for job, _ in broken]
    if moves:
        await connection.execute(_move_on, moves)
    return Fired(notices, tuple(broken))


def _rows(
    job: DueJob, decision: Decision, now: datetime, trace: StartTrace, budget: RunBudget
) -> Iterator[dict[str, Any]]:
    for entry in decision.entries:
        match entry:
            case Fire(scheduled_for=instant):
                yield {**_queued(job, instant, now, trace), **_NOT_YET, **_wait(job, entry, now)}
            case Skip(scheduled_for=instant, reason=reason):
                ended = run_rows.ended_row(_queued(job, instant, now, trace), RunStatus.SKIPPED, reason, now)
                message = budget.text(job.owner_id) if reason is Reason.QUOTA else None
                yield {**_NOT_YET, **ended, "message": message}
            case Miss(first=first, last=last, count=count, reason=reason):
                ended = run_rows.ended_row(_queued(job, first, now, trace), RunStatus.MISSED, reason, now)
                yield {**_NOT_YET, **ended, "missed_until": last, "missed_count": count}


def _queued(job: DueJob, instant: datetime, now: datetime, trace: StartTrace) -> dict[str, Any]:
    correlation_id = uuid.uuid4().hex
    row = run_rows.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=Trigger.SCHEDULE,
        scheduled_for=instant,
        priority=job.priority,
        correlation_id=correlation_id,
        now=now,
        job_version=job.version,
    )
    return {**row, "trace_parent": trace(job.id, correlation_id)}


def _wait(job: DueJob, fire: Fire, now: datetime) -> dict[str, Any]:
    available_at, start_by = start_window(job, fire)
    wait = {"available_at": available_at, "notified_at": None} if available_at > now else {}
    return wait if start_by is None else {**wait, "start_by": start_by}


async def _insert(
    connection: AsyncConnection, rows: Sequence[dict[str, Any]], tags: dict[int, tuple[str, ...]]
) -> tuple[RunNotice, ...]:
    if not rows:
        return ()
    statement = insert_or_ignore(connection, runs).returning(
        runs.c.id,
        runs.c.job_id,
        runs.c.status,
        runs.c.notified_at,
        runs.c.priority,
        runs.c.correlation_id,
        runs.c.trace_parent,
    )
    return tuple(
        RunNotice(row.id, 0, row.priority, row.correlation_id, tags[row.job_id], row.trace_parent)
        for row in await connection.execute(statement, rows)
        if row.status is RunStatus.QUEUED and row.notified_at is not None
    )


def _move(job: DueJob, decision: Decision) -> dict[str, Any]:
    return {
        "of_job": job.id,
        "of_version": job.schedule_version,
        "from_instant": job.next_run_at,
        "to_instant": decision.next_run_at,
        "to_status": JobStatus.FINISHED if decision.next_run_at is None else JobStatus.ACTIVE,
        "to_pause_reason": None,
        "fired": _fires(decision),
    }


def _fires(decision: Decision) -> int:
    return sum(isinstance(entry, Fire) for entry in decision.entries)


def _pause_after_failures(job: DueJob, next_run_at: datetime | None) -> Iterator[dict[str, Any]]:
    """Yield the pause of a job that failed too often, now that its due instants have rows.

    It is a move of its own, after the one to the next instant, because that instant is the first that is not owed.
    """
    if next_run_at is not None and job.pause_after_failures and job.failures_in_a_row >= job.pause_after_failures:
        yield _pause(job, next_run_at, failures_text(job.failures_in_a_row))


def _pause(job: DueJob, next_run_at: datetime, reason: str) -> dict[str, Any]:
    return {
        "of_job": job.id,
        "of_version": job.schedule_version,
        "from_instant": next_run_at,
        "to_instant": None,
        "to_status": JobStatus.PAUSED,
        "to_pause_reason": reason,
        "fired": 0,
    }
