"""Stores new jobs.

Theory of operation. A document is inspected once. On SQLite, the transaction of a job that names nothing else is one
hand-over to the thread of the connection, because all its statements are built once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.services import idempotency
from scheduler_service.services.job_acceptance import JobAcceptance
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_references import names_others
from scheduler_service.services.job_writer import JobWriter
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.storage import jobs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

LONGEST_TICK = timedelta(seconds=60)
"""The dispatcher looks by itself at least this often. Only a job that is due earlier has to wake it."""


class JobCreation:
    """Reads and stores definitions of new jobs. Each call is one transaction, committed when the call returns."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        wake_dispatcher: Callable[[], None],
        acceptance: JobAcceptance,
        writer: JobWriter,
        check_host: Callable[[], None],
    ) -> None:
        """Call `wake_dispatcher` after a commit that made a job due soon."""
        self._database = database
        # A direct writer of PostgreSQL has no transactions.
        self._direct = database.direct() if database.is_sqlite else None
        self._clock = clock
        self._wake_dispatcher = wake_dispatcher
        self._acceptance = acceptance
        self._writer = writer
        self._check_host = check_host

    async def read(self, caller: Caller, document: JsonDocument) -> JobDefinition:
        """Return the definition in a document. Raise `RejectedError` with all problems."""
        draft = self._acceptance.draft(caller, document)
        if draft.definition is None or not names_others(draft.definition):
            return draft.accept()
        async with self._database.read() as connection:
            return draft.accept(await self._writer.references.problems_of_draft(connection, draft))

    async def store(self, caller: Caller, definition: JobDefinition, idempotency_key: str | None) -> Job:
        """Store an acceptable definition as a new job. Raise what `JobService.create` raises."""
        self._check_host()
        lock = await self._writer.packages.lock(definition.payload.packages())
        content = "" if idempotency_key is None else definition.model_dump_json()
        key = idempotency.key_for(caller, "POST /jobs", idempotency_key, content)

        async def add(connection: AsyncConnection) -> Job:
            (job,) = await self._writer.add(connection, caller, "createJob", [(definition, lock)])
            return job

        if self._direct is not None and key is None and lock is None and _is_alone(definition):
            job = await self._direct.write(add)
        else:
            action = idempotency.Action(add, partial(jobs.find, owner_id=caller.bound))
            job, _ = await idempotency.perform(self._database, self._clock, key, action)
        if job.next_run_at is not None and job.next_run_at <= self._clock.now() + LONGEST_TICK:
            self._wake_dispatcher()
        return job


def _is_alone(definition: JobDefinition) -> bool:
    """Return whether storing a new job takes only statements that are built once, and cannot meet another job's key."""
    return definition.external_key is None and not names_others(definition)
