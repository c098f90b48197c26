"""Test runs: one attempt of a definition that is not stored as a job."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.caller import Caller
from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.records import Run
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.run_state import JobStatus, Trigger
from scheduler_service.errors import ConflictError
from scheduler_service.services.audit import Target, record
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.job_writer import JobWriter
from scheduler_service.services.queued_runs import notify_workers, queued_row
from scheduler_service.storage import draft_runs, jobs, runs
from scheduler_service.storage.database import Database

MAX_TIMEOUT_SECONDS = 60.0
# A test run that no worker begins by then is missed. A person waits for it.
START_DEADLINE = timedelta(minutes=5)


class DraftRuns:
    """Queues test runs, up to `quota` of each owner at once."""

    def __init__(self, database: Database, broker: Broker, writer: JobWriter, quota: int) -> None:
        self._database = database
        self._broker = broker
        self._writer = writer
        self._quota = quota

    async def queue(self, caller: Caller, definition: JobDefinition) -> Run:
        """Queue one attempt of an accepted definition. Raise `ConflictError` if the owner's quota is used up."""
        lock = await self._writer.packages.lock(definition.payload.packages())
        async with self._database.write() as connection:
            run = await self._add(connection, caller, _alone(definition), lock)
        await notify_workers(self._database, self._broker, run)
        return run

    async def _add(
        self, connection: AsyncConnection, caller: Caller, definition: JobDefinition, lock: EnvironmentLock | None
    ) -> Run:
        active = await draft_runs.count_active(connection, definition.owner_id)
        if active >= self._quota:
            raise ConflictError(
                f"{active} test runs of this owner have not ended, and {self._quota} are allowed at once "
                "(SCHEDULER_QUOTA_TEST_RUNS); wait for one or cancel it"
            )
        now = self._writer.clock.now()
        await self._writer.quotas.take_runs(connection, definition.owner_id, now)
        born_deleted = {"status": JobStatus.PAUSED, "next_run_at": None, "deleted_at": now}
        (job,) = await jobs.add(connection, {**self._writer.row_of(definition, lock), **born_deleted})
        await self._writer.packages.keep(connection, job, lock)
        row = queued_row(job, Trigger.TEST, now)
        run = await runs.add(connection, {**row, "start_by": now + START_DEADLINE, "requested_by": caller.key_id})
        target = Target(f"runs/{run.id}", job.owner_id)
        await record(connection, caller, "testJob", target, now, after=document_of(job))
        return run


def _alone(definition: JobDefinition) -> JobDefinition:
    """Return a definition whose run is tried once and waits for no other run."""
    changes: dict[str, object] = {
        "schedule_expr": None,
        "retry_policy": RetryPolicy(),
        "timeout_seconds": min(definition.timeout_seconds, MAX_TIMEOUT_SECONDS),
        "overlap_policy": "allow",
        "concurrency_key": None,
        "external_key": None,
        "after": [],
    }
    return definition.model_copy(update=changes)
