"""The loop of a dispatcher that queues runs after the ends of upstream runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.dependencies import Consequence, consequence_of, meaning_of
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.engine.base import Base
from scheduler_service.engine.changes import after_changes
from scheduler_service.engine.loop import start_loop
from scheduler_service.engine.quota_settings import quotas_of
from scheduler_service.engine.run_result import is_handed_on
from scheduler_service.errors import QuotaError
from scheduler_service.sandbox.contract.collected import MAX_RESULT_BYTES
from scheduler_service.services.queued_runs import make_room, queued_row
from scheduler_service.services.quota_gate import UNLIMITED, QuotaGate
from scheduler_service.storage import dependencies, runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.dependencies import Origin, UpstreamEnd

REST_SECONDS = 0.2
IDLE_SECONDS = 5.0
"""The rest while no job runs after another one."""

log = structlog.get_logger(__name__)


class ChainFollower:
    """Takes the ends of upstream runs, and decides what becomes of the jobs that run after them."""

    def __init__(self, database: Database, clock: Clock, quotas: QuotaGate = UNLIMITED) -> None:
        self._database = database
        self._clock = clock
        self._quotas = quotas

    async def follow(self) -> float:
        """Handle every noted end. Return the seconds until the next call."""
        async with self._database.read() as connection:
            has_ended = await dependencies.has_ended(connection)
            rest_seconds = REST_SECONDS if has_ended or await dependencies.has_any(connection) else IDLE_SECONDS
        while has_ended:
            async with self._database.write() as connection:
                has_ended = await self._handle_one(connection)
        return rest_seconds

    async def _handle_one(self, connection: AsyncConnection) -> bool:
        """Handle one end. Return False if there is none."""
        ended = await dependencies.take_ended(connection)
        if ended is None:
            return False
        for job in await dependencies.lock_jobs_after(connection, ended):
            await self._handle(connection, job, ended.run)
        return True

    async def _handle(self, connection: AsyncConnection, job: Job, ended: Run) -> None:
        """Store an end in the round of a job, and end the round if it is complete."""
        await dependencies.note_end(connection, job, ended)
        round_ = await dependencies.ends_of(connection, job.id)
        if job.after_mode == "any":
            round_ = [end for end in round_ if end.run_id == ended.id]
        meanings = [None if end.status is None else meaning_of(end.awaited_end, end.status) for end in round_]
        consequence = consequence_of(job.after_mode, meanings)
        if consequence is Consequence.WAIT:
            return
        await dependencies.end_round(connection, job)
        if consequence is Consequence.NOTHING or job.status is JobStatus.PAUSED:
            return
        await self._add_row(connection, job, ended, consequence, round_)

    async def _add_row(
        self, connection: AsyncConnection, job: Job, ended: Run, consequence: Consequence, round_: Sequence[UpstreamEnd]
    ) -> None:
        now = self._clock.now()
        given = _input(round_)
        # The next tick of a dispatcher notifies workers.
        row = queued_row(job, Trigger.DEPENDENCY, now, correlation_id=ended.correlation_id) | {"notified_at": None}
        if consequence is Consequence.SKIP:
            row = _skipped(row, Reason.DEPENDENCY, _unmet_text(round_), now)
        elif given is not None and not is_handed_on(given):
            message = f"the results of its upstream runs exceed {MAX_RESULT_BYTES} bytes"
            row = _skipped(row, Reason.DEPENDENCY, message, now)
        elif await make_room(connection, job, now) is not None:
            row = _skipped(row, Reason.OVERLAP, None, now)
        else:
            row = await self._within_quota(connection, job, row, now)
        run = await runs.add(connection, row)
        await dependencies.store_origin(connection, run.id, Origin(ended.id, given))
        log.info("upstream_followed", job_id=job.id, run_id=run.id, upstream_run_id=ended.id, status=run.status)

    async def _within_quota(
        self, connection: AsyncConnection, job: Job, row: dict[str, Any], now: datetime
    ) -> dict[str, Any]:
        try:
            await self._quotas.take_runs(connection, job.owner_id, now)
        except QuotaError as error:
            return _skipped(row, Reason.QUOTA, str(error), now)
        return row


def _skipped(row: Mapping[str, Any], reason: Reason, message: str | None, now: datetime) -> dict[str, Any]:
    return {**runs.ended_row(row, RunStatus.SKIPPED, reason, now), "message": message}


def _unmet_text(round_: Sequence[UpstreamEnd]) -> str:
    told = [
        f"run {end.run_id} of job {end.upstream_id} is {end.status}, and the job runs after {_AWAITED[end.awaited_end]}"
        for end in round_
        if end.status is not None and meaning_of(end.awaited_end, end.status) != "met"
    ]
    return "; ".join(told)


_AWAITED = {"success": "its success", "failure": "its failure", "end": "its end"}


def _input(round_: Sequence[UpstreamEnd]) -> Any:
    """Return what a run receives: the result of its upstream run, or several by the ids of their jobs."""
    if len(round_) == 1:
        return round_[0].result
    return {str(end.upstream_id): end.result for end in round_}


def start_loops(base: Base) -> None:
    """Start the loop."""
    follower = ChainFollower(base.database, base.clock, QuotaGate(quotas_of(base.settings)))
    start_loop(base.stack, "chains", after_changes(base.changes, follower.follow, REST_SECONDS))
