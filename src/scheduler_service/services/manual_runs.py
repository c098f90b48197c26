"""Runs that a client asks for, beside the schedule of their job."""

from __future__ import annotations

from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Trigger
from scheduler_service.errors import ConflictError
from scheduler_service.services import idempotency
from scheduler_service.services.audit import Target, record
from scheduler_service.services.job_rows import existing
from scheduler_service.services.queued_runs import make_room, notify_workers, queued_row
from scheduler_service.services.quota_gate import QuotaGate
from scheduler_service.services.run_request import RunRequest, check_together
from scheduler_service.storage import runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


class ManualRuns:
    """Queues runs at once, by the overlap policy of their job."""

    def __init__(self, database: Database, broker: Broker, clock: Clock, quotas: QuotaGate) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._quotas = quotas

    async def queue(self, caller: Caller, job_id: int, request: RunRequest, idempotency_key: str | None) -> Run:
        """Queue a run.

        Raise `ConflictError` if the job is busy and its overlap policy is `skip`, and `RateError` if the owner has
        queued its runs of this minute.
        """
        key = idempotency.key_for(caller, f"POST /jobs/{job_id}/run", idempotency_key, request.fingerprint)
        action = idempotency.Action(
            lambda connection: self._add(connection, caller, job_id, request), partial(runs.find, owner_id=caller.bound)
        )
        run, is_new = await idempotency.perform(self._database, self._clock, key, action)
        if is_new:
            await notify_workers(self._database, self._broker, run)
        return run

    async def _add(self, connection: AsyncConnection, caller: Caller, job_id: int, request: RunRequest) -> Run:
        job = await existing(connection, caller, job_id, lock=True)
        check_together(job, request)
        now = self._clock.now()
        if not request.ignore_overlap and (other := await make_room(connection, job, now)) is not None:
            raise ConflictError(_busy(job, other))
        await self._quotas.take_runs(connection, job.owner_id, now)
        row = queued_row(job, Trigger.MANUAL, now)
        requested = {"args": request.args or None, "env": request.env or None, "requested_by": caller.key_id}
        run = await runs.add(connection, {**row, **requested})
        after = {"job_id": job.id, **request.model_dump(mode="json")}
        await record(connection, caller, "runJob", Target(f"runs/{run.id}", job.owner_id), now, after=after)
        return run


def _busy(job: Job, run: Run) -> str:
    return (
        f"run {run.id} of job {job.id} is {run.status}, and the overlap_policy is skip; wait for it, cancel it, or "
        "send ignore_overlap=true (`scheduler jobs run --ignore-overlap`) to queue another run"
    )
