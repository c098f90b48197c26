"""Validates a definition without storing it: what it would make, and what it would change in a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.audit_diff import difference
from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.domain.rescheduling import rescheduled
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.services.job_acceptance import JobAcceptance, JobDraft, Shown
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import columns_of, document_of
from scheduler_service.services.job_references import JobReferences
from scheduler_service.services.job_rows import existing
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.quota_gate import QuotaGate, changed_schedules
from scheduler_service.services.schedules import Upcoming, first_run_at, next_instants
from scheduler_service.storage import calendars
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

COUNT = 10
"""Upcoming instants that are compared and shown."""


@dataclass(frozen=True, slots=True)
class Validated:
    """What a definition would make of a job.

    `job` is not stored; that of a new one has the id 0. `instants_now` and `changes` compare it with the present job,
    and are empty for a new one. `changes` has `before` and `after` of each field, with secrets masked.
    """

    job: Job
    instants: tuple[Upcoming, ...]
    instants_now: tuple[Upcoming, ...] = ()
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def are_fires_moved(self) -> bool:
        """Return whether a job that exists would run at other instants than it does now."""
        return bool(self.job.id) and [each.at for each in self.instants] != [each.at for each in self.instants_now]


class JobValidation:
    """Inspects documents by the same functions as requests that store them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        acceptance: JobAcceptance,
        references: JobReferences,
        quotas: QuotaGate,
    ) -> None:
        self._database = database
        self._clock = clock
        self._acceptance = acceptance
        self._references = references
        self._quotas = quotas

    async def validate(
        self, caller: Caller, document: JsonDocument, job_id: int | None, shown: Shown | None
    ) -> Validated:
        """Validate a new job, or the new definition of a job.

        Raise `RejectedError` with all problems, `QuotaError` if a quota of the owner is used up, and `NotFoundError` if
        there is no such job.
        """
        async with self._database.read() as connection:
            if job_id is None:
                draft = self._acceptance.draft(caller, document)
                definition = await self._accept(connection, draft)
                added = [definition]
                await self._quotas.check_jobs(connection, added, added, self._clock.now())
                return await self._shown(connection, _new(definition, self._clock.now()))
            job = await existing(connection, caller, job_id)
            draft = self._acceptance.draft_edit(caller, job, document, shown)
            definition = await self._accept(connection, draft, job)
            edited = replace(job, **columns_of(definition))
            edited = rescheduled(job, edited, enabled=definition.enabled, now=self._clock.now())
            moved = [edited] if edited.owner_id != job.owner_id else []
            changed = changed_schedules([(job, edited)])
            await self._quotas.check_jobs(connection, moved, changed, self._clock.now())
            present = await self._shown(connection, job)
            validated = await self._shown(connection, edited)
        changes = difference(document_of(job), document_of(edited), None)
        return replace(validated, instants_now=present.instants, changes=changes)

    async def _accept(self, connection: AsyncConnection, draft: JobDraft, job: Job | None = None) -> JobDefinition:
        return draft.accept(await self._references.problems_of_draft(connection, draft, job))

    async def _shown(self, connection: AsyncConnection, job: Job) -> Validated:
        calendar = await calendars.find_for(connection, job)
        return Validated(job, await next_instants(job, COUNT, calendar))


def _new(definition: JobDefinition, now: datetime) -> Job:
    """Return the job that a definition would create."""
    next_run_at = first_run_at(definition, now) if definition.enabled else None
    status = JobStatus.ACTIVE if definition.enabled else JobStatus.PAUSED
    counts = dict.fromkeys(("id", "scheduled_runs", "failures_in_a_row"), 0)
    instants = dict.fromkeys(("anchor_at", "created_at", "updated_at"), now)
    unset = dict.fromkeys(Job.__dataclass_fields__)
    versions = {"version": 1, "schedule_version": 1}
    known = {**unset, **counts, **instants, **versions, **columns_of(definition)}
    return Job(**{**known, "status": status, "next_run_at": next_run_at, "left_out": ()})
