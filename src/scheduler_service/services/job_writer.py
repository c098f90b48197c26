"""The writing steps of transactions on jobs, for one job and for many: the number of statements is the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.dependencies import dependencies_in
from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.pauses import after_pause
from scheduler_service.domain.records import Job
from scheduler_service.domain.rescheduling import rescheduled
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.domain.run_state import JobStatus, Reason
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.services.job_acceptance import JobChange
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_dependencies import check_unneeded, keep_dependencies
from scheduler_service.services.job_mapping import columns_of
from scheduler_service.services.job_packages import JobPackages
from scheduler_service.services.job_references import JobReferences, has_other_names
from scheduler_service.services.job_rows import items_of
from scheduler_service.services.job_trail import record_jobs
from scheduler_service.services.quota_gate import UNLIMITED, QuotaGate, changed_environments, changed_schedules
from scheduler_service.services.schedules import first_run_at
from scheduler_service.storage import cancellations, dependencies, jobs, ledger, pauses, runs
from scheduler_service.storage.clock import Clock
from scheduler_service.telemetry import tracing

Draft = tuple[JobDefinition, EnvironmentLock | None]
"""A job to be stored, and the lock of its packages."""
Edit = tuple[Job, JobChange, EnvironmentLock | None]
"""A settled job, its change, and the lock of its packages if they change."""


@dataclass(frozen=True, slots=True)
class JobWriter:
    """Writes jobs in a transaction of the caller's. `operation` is the name of the request in the audit trail."""

    clock: Clock
    packages: JobPackages
    references: JobReferences
    quotas: QuotaGate = UNLIMITED

    async def add(
        self, connection: AsyncConnection, caller: Caller, operation: str, drafts: Sequence[Draft]
    ) -> list[Job]:
        """Store new jobs.

        Raise `InvalidInputError` if one names something that its owner does not have, and `QuotaError` if a quota of
        its owner does not allow it.
        """
        if not drafts:
            return []
        definitions = [definition for definition, _ in drafts]
        await self.references.check(connection, definitions)
        given = await self.quotas.lock(connection, {definition.owner_id for definition in definitions})
        await self.quotas.check_jobs(connection, definitions, definitions, self.clock.now(), given)
        rows = [self.row_of(*draft) for draft in drafts]
        added = await jobs.add(connection, *rows)
        for job in added:
            if job.after:
                await keep_dependencies(connection, job)
        for job, (_, lock) in zip(added, drafts, strict=True):
            await self.packages.keep(connection, job, lock)
        await self.quotas.check_environments(connection, [job for job in added if job.environment_id is not None])
        await record_jobs(connection, caller, operation, [(None, job) for job in added], self.clock.now())
        return added

    async def settle(
        self, connection: AsyncConnection, caller: Caller, job_ids: Sequence[int]
    ) -> tuple[list[Job], list[RunNotice]]:
        """Lock jobs, and let their schedules account for every instant until now, before they are changed.

        A pause whose end has passed ends first, because the instants since then are owed. Raise `NotFoundError` if a
        job does not exist. The caller sends the notices after the commit.
        """
        found = await jobs.find_all(connection, job_ids, owner_id=caller.bound, lock=True)
        for job_id in job_ids:
            if job_id not in found:
                raise NotFoundError(f"there is no job {job_id}")
        notices: list[RunNotice] = []
        now = self.clock.now()
        for job in found.values():
            # A job whose schedule cannot be parsed any more stays paused, so that it can be edited.
            if job.paused_until is not None and job.paused_until <= now:
                with suppress(InvalidInputError):
                    found[job.id] = after_pause(job)
                    await pauses.end_pause(connection, found[job.id])
        while due := [job for job in found.values() if job.next_run_at is not None and job.next_run_at <= now]:
            fired = await ledger.fire(
                connection, list(map(jobs.as_due, due)), now, tracing.context_for_run, self.quotas.defaults
            )
            notices += fired.notices
            found |= await jobs.find_all(connection, [job.id for job in due])
            now = self.clock.now()
        return [found[job_id] for job_id in job_ids], notices

    async def change(
        self, connection: AsyncConnection, caller: Caller, operation: str, edits: Sequence[Edit]
    ) -> list[Job]:
        """Change settled jobs, whose instants from now on follow the new schedules. Return them.

        A change without effect keeps the version. Raise `InvalidInputError` as `add` does, and `ConflictError` if a
        change pauses or resumes a job that has no future instant.
        """
        now = self.clock.now()
        edited = [_edited(job, change, now) for job, change, _ in edits]
        pairs = [(job, after) for (job, _, _), after in zip(edits, edited, strict=True)]
        await self.references.check(connection, [after for job, after in pairs if has_other_names(job, after)])
        moved = [after for job, after in pairs if after.owner_id != job.owner_id]
        with_environments = changed_environments(pairs)
        await self.quotas.lock(connection, {job.owner_id for job in (*moved, *with_environments)})
        await self.quotas.check_jobs(connection, moved, changed_schedules(pairs), now)
        await _keep_dependencies(connection, pairs)
        changes = [(job, after) for job, after in pairs if after is not job]
        await jobs.change(connection, [(job.id, _differences(job, after)) for job, after in changes])
        for job, after in changes:
            if after.owner_id != job.owner_id:
                await runs.move_to_owner(connection, job.id, after.owner_id)
        for after, (_, _, lock) in zip(edited, edits, strict=True):
            await self.packages.keep(connection, after, lock)
        await self.quotas.check_environments(connection, with_environments)
        await record_jobs(connection, caller, operation, pairs, now)
        return edited

    async def delete(self, connection: AsyncConnection, caller: Caller, operation: str, gone: Sequence[Job]) -> None:
        """Delete settled jobs: cancel their queued runs and request that running ones stop.

        Raise `ConflictError` if other jobs run after one of them.
        """
        if not gone:
            return
        job_ids = [job.id for job in gone]
        await dependencies.remove(connection, job_ids)
        await check_unneeded(connection, job_ids)
        now = self.clock.now()
        values = {"deleted_at": now, "updated_at": now, "status": JobStatus.PAUSED, "next_run_at": None}
        await jobs.change(connection, [(job.id, {**values, "version": job.version + 1}) for job in gone])
        await cancellations.cancel_all(connection, job_ids, Reason.JOB_DELETED, now)
        await record_jobs(connection, caller, operation, [(job, None) for job in gone], now)

    def row_of(self, definition: JobDefinition, lock: EnvironmentLock | None) -> dict[str, Any]:
        """Return the columns of a new job."""
        now = self.clock.now()
        next_run_at = first_run_at(definition, now)
        return {
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


async def _keep_dependencies(connection: AsyncConnection, pairs: Sequence[tuple[Job, Job]]) -> None:
    """Store the upstream jobs of edited jobs, if they differ."""
    moved = []
    for job, edited in pairs:
        if edited.owner_id != job.owner_id:
            await check_unneeded(connection, [job.id])
        if edited.after != job.after or (edited.after and edited.owner_id != job.owner_id):
            moved.append(edited)
    # All that end, then all that begin: two jobs can change places without a cycle between them.
    for edited in moved:
        await dependencies.retain(connection, edited.id, dependencies_in(edited.after))
    for edited in moved:
        await keep_dependencies(connection, edited)


def _edited(job: Job, change: JobChange, now: datetime) -> Job:
    """Return the job after a change, with its next version, or the job itself if nothing differs."""
    edited = rescheduled(job, replace(job, **change.columns), enabled=change.enabled, now=now)
    return job if edited == job else replace(edited, version=job.version + 1, updated_at=now)


def _differences(job: Job, edited: Job) -> dict[str, Any]:
    return {name: value for name, value in items_of(edited) if value != getattr(job, name)}
