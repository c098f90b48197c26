"""Checks that what a job names exists: the secrets and calendars of its owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.dependencies import dependencies_in
from scheduler_service.domain.records import Job
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.job_acceptance import JobDraft
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_dependencies import unknown_upstreams
from scheduler_service.services.job_secrets import KnownSecrets, unknown_secrets
from scheduler_service.storage import calendars

_REFERENCES = ("owner_id", "secrets", "calendars")


@dataclass(frozen=True, slots=True)
class JobReferences:
    """Finds names that mean nothing. It costs no query if a job names nothing."""

    secrets: KnownSecrets

    async def problems(
        self, connection: AsyncConnection, named: Sequence[Job | JobDefinition]
    ) -> Sequence[FieldProblem]:
        """Return a problem for each unknown name of jobs."""
        return [problem for found in await self.problems_of_each(connection, named) for problem in found]

    async def problems_of_each(
        self, connection: AsyncConnection, named: Sequence[Job | JobDefinition]
    ) -> Sequence[Sequence[FieldProblem]]:
        """Return the problems of each job. The number of queries is that of the owners."""
        stored = await calendars.read_for(connection, named)
        owners = sorted({job.owner_id for job in named if job.secrets})
        known = {owner_id: await self.secrets.names(connection, owner_id) for owner_id in owners}
        return [
            [
                *calendars.unknown_calendars(job, stored),
                *unknown_secrets(job.secrets, known.get(job.owner_id, frozenset())),
            ]
            for job in named
        ]

    async def problems_of_draft(
        self, connection: AsyncConnection, draft: JobDraft, job: Job | None = None
    ) -> Sequence[FieldProblem]:
        """Return the same for a draft. An edit of `job` that keeps its names has none.

        A draft whose owner is wrong has none either, because the names of others are not told.
        """
        is_owner_wrong = any(problem.field == "owner_id" for problem in draft.problems)
        if draft.definition is None or is_owner_wrong or not draft.inspection.is_sent("owner_id"):
            return ()
        definition = draft.definition
        named = dependencies_in([each.model_dump() for each in definition.after])
        upstreams = await unknown_upstreams(connection, named, definition.owner_id, job)
        if job is not None and not has_other_names(job, definition):
            return upstreams
        return [*await self.problems(connection, [definition]), *upstreams]

    async def check(self, connection: AsyncConnection, named: Sequence[Job | JobDefinition]) -> None:
        """Raise `InvalidInputError` that names each unknown name."""
        if problems := await self.problems(connection, named):
            raise InvalidInputError(*problems)


def has_other_names(job: Job, edited: Job | JobDefinition) -> bool:
    """Return whether an edit names other things of its owner's than before."""
    return any(getattr(job, name) != getattr(edited, name) for name in _REFERENCES)


def names_others(definition: JobDefinition) -> bool:
    """Return whether a definition names anything that the database has to know."""
    return bool(definition.secrets or definition.calendars or definition.after)
