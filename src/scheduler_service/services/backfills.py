"""Backfills: runs of past instants of a job, each of which names its instant.

Theory of operation. The instants of the present schedule are computed before the transaction, because thousands take
time. The transaction locks the job and lets its schedule account for what is due. It reads what became of each instant,
and adds runs with the trigger `backfill` for the chosen ones. A unique index allows one active backfill run of an
instant, and two requests wait for each other at the lock. The rows of the ledger stay as they are, so its check stays
true.

Backfill runs wait in the queue until their job has a free slot, behind its other runs. They do not count for its
overlap policy: a long backfill would otherwise make the schedule skip its instants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.backfill import Candidate, candidates
from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job, Run, schedule_of
from scheduler_service.domain.run_state import Trigger
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError
from scheduler_service.services.audit import Target, record
from scheduler_service.services.backfill_request import BackfillRequest
from scheduler_service.services.job_rows import existing
from scheduler_service.services.job_writer import JobWriter
from scheduler_service.services.queued_runs import queued_row
from scheduler_service.storage import backfills, calendars, runs
from scheduler_service.storage.database import Database

MAX_INSTANTS = 20_000
"""Instants that a window may name."""

_MICROSECOND = timedelta.resolution


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill found: `matched` instants, of which it chose some. `run_ids` are empty for a dry run."""

    matched: int
    chosen: tuple[Candidate, ...]
    run_ids: dict[datetime, int]


class Backfills:
    """Queues runs of past instants."""

    def __init__(self, database: Database, broker: Broker, writer: JobWriter) -> None:
        self._database = database
        self._broker = broker
        self._writer = writer

    async def queue(self, caller: Caller, job_id: int, request: BackfillRequest) -> Backfill:
        """Queue a run for each chosen instant, or only list them for a dry run.

        Raise `InvalidInputError` if the window reaches into the future or names too many instants, and `ConflictError`
        if the job has no schedule.
        """
        async with self._database.read() as connection:
            job = await existing(connection, caller, job_id)
            calendar = await calendars.find_for(connection, job)
        self._check(job, request)
        named = await asyncio.to_thread(_named, job, request, calendar)
        async with self._database.write() as connection:
            (settled,), notices = await self._writer.settle(connection, caller, [job_id])
            if settled.version != job.version:
                raise ConflictError("another request changed the job; read it again and repeat the backfill")
            found = await backfills.rows_between(connection, job_id, request.begin, request.end, MAX_INSTANTS)
            matching = candidates(named, found, request.only, request.order)
            chosen = matching[: request.max_runs]
            added = [] if request.dry_run else await self._add(connection, caller, settled, request, chosen)
            notices += await runs.notices(connection, added)
        await self._broker.send(notices)
        return Backfill(len(matching), tuple(chosen), {run.scheduled_for: run.id for run in added})

    def _check(self, job: Job, request: BackfillRequest) -> None:
        if request.end > self._writer.clock.now():
            raise InvalidInputError(FieldProblem("to", "lies in the future; end the window now or earlier"))
        if job.schedule_expr is None:
            raise ConflictError("the job runs on demand, so it has no instants to backfill; run it by hand")
        count = schedule_of(job).count_between(request.begin - _MICROSECOND, request.end)
        if count > MAX_INSTANTS:
            message = f"the window names {count} instants, and {MAX_INSTANTS} are allowed; narrow it"
            raise InvalidInputError(FieldProblem("from", message))

    async def _add(
        self,
        connection: AsyncConnection,
        caller: Caller,
        job: Job,
        request: BackfillRequest,
        chosen: Sequence[Candidate],
    ) -> list[Run]:
        now = self._writer.clock.now()
        await self._writer.quotas.take_runs(connection, job.owner_id, now, len(chosen))
        # They share a correlation id, and come behind the runs of the schedule, which are due now.
        row = queued_row(job, Trigger.BACKFILL, now) | {"priority": max(0, job.priority - 1)}
        row |= {"requested_by": caller.key_id}
        rows = [{**row, "scheduled_for": candidate.scheduled_for} for candidate in chosen]
        added = await backfills.add(connection, rows)
        after = {**request.model_dump(mode="json", by_alias=True), "runs": len(added)}
        await record(connection, caller, "backfillJob", Target(f"jobs/{job.id}", job.owner_id), now, after=after)
        return added


def _named(job: Job, request: BackfillRequest, calendar: JobCalendar | None) -> list[datetime]:
    """Return the instants of the present schedule in the window, without those on closed days."""
    instants = schedule_of(job).between(request.begin - _MICROSECOND, request.end)
    return [instant for instant in instants if calendar is None or calendar.is_open(instant)]
