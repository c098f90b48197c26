"""The writing steps of transactions on jobs: what a request for one job and a file of many have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.records import Job
from scheduler_service.domain.rescheduling import rescheduled
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import JobStatus, Reason
from scheduler_service.services.job_acceptance import JobChange
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import columns_of
from scheduler_service.services.job_packages import JobPackages
from scheduler_service.services.job_rows import Versions, check_version, existing, items_of, stored
from scheduler_service.services.job_secrets import KnownSecrets, check_known
from scheduler_service.services.job_trail import record_job
from scheduler_service.services.schedules import first_run_at
from scheduler_service.storage import calendars, cancellations, jobs, ledger
from scheduler_service.storage.clock import Clock
from scheduler_service.telemetry import tracing


@dataclass(frozen=True, slots=True)
class JobWriter:
    """Writes jobs in a transaction of the caller's. `operation` is the name of the request in the audit trail."""

    clock: Clock
    packages: JobPackages
    secrets: KnownSecrets

    async def add(
        self,
        connection: AsyncConnection,
        caller: Caller,
        definition: JobDefinition,
        operation: str,
        lock: EnvironmentLock | None,
    ) -> Job:
        """Store a new job. Raise `InvalidInputError` if it names something that the owner does not have."""
        await check_known(self.secrets, connection, definition.owner_id, definition.secrets)
        await calendars.find_for(connection, definition)  # raises if one is unknown
        now = self.clock.now()
        next_run_at = first_run_at(definition, now)
        values = {
            **columns_of(definition),
            "status": JobStatus.ACTIVE if definition.enabled else JobStatus.PAUSED,
            "anchor_at": now,
            "next_run_at": next_run_at if definition.enabled else None,
            "environment_id": None if lock is None else lock.id,
            "version": 1,
            "schedule_version": 1,
            "created_at": now,
            "updated_at": now,
        }
        job = await jobs.add(connection, values)
        await self.packages.keep(connection, job, lock)
        await record_job(connection, caller, operation, now, after=job)
        return job

    async def settle(
        self, connection: AsyncConnection, caller: Caller, job_id: int, if_match: Versions
    ) -> tuple[Job, list[RunNotice]]:
        """Lock a job, and let its schedule account for every instant until now, before it is changed.

        Raise `NotFoundError` if there is none, and `PreconditionFailedError` if its version is another one.
        """
        job = await existing(connection, caller, job_id, lock=True)
        check_version(job, if_match)
        notices: list[RunNotice] = []
        while job.next_run_at is not None and job.next_run_at <= (now := self.clock.now()):
            notices += (await ledger.fire(connection, [jobs.as_due(job)], now, tracing.context_for_run)).notices
            job = await existing(connection, caller, job_id)
        return job, notices

    async def change(
        self,
        connection: AsyncConnection,
        caller: Caller,
        job: Job,
        operation: str,
        change: JobChange,
        lock: EnvironmentLock | None = None,
    ) -> Job:
        """Change a settled job, whose instants from now on follow the new schedule.

        A change without effect keeps the version. Raise `ConflictError` if it pauses or resumes a job that has no
        future instant.
        """
        now = self.clock.now()
        edited = rescheduled(job, replace(job, **change.columns), enabled=change.enabled, now=now)
        if edited.secrets != job.secrets or edited.owner_id != job.owner_id:
            await check_known(self.secrets, connection, edited.owner_id, edited.secrets)
        if edited.calendars != job.calendars or edited.owner_id != job.owner_id:
            await calendars.find_for(connection, edited)
        if edited != job:
            values: Mapping[str, Any] = {name: value for name, value in items_of(edited) if value != getattr(job, name)}
            edited = await stored(connection, job, {**values, "updated_at": now})
        await self.packages.keep(connection, edited, lock)
        await record_job(connection, caller, operation, now, before=job, after=edited)
        return edited

    async def delete(self, connection: AsyncConnection, caller: Caller, job: Job, operation: str) -> None:
        """Delete a settled job: cancel its queued runs and request that running ones stop."""
        now = self.clock.now()
        values = {"deleted_at": now, "updated_at": now, "status": JobStatus.PAUSED, "next_run_at": None}
        await jobs.change(connection, job.id, job.version, values)
        await cancellations.cancel_all(connection, job.id, Reason.JOB_DELETED, now)
        await record_job(connection, caller, operation, now, before=job)
