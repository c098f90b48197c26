"""Plans what a set of documents changes, and applies the plan.

Theory of operation. A plan reads jobs and writes nothing. To apply it, one transaction locks the jobs that it changes
or deletes, checks that they still have the versions of the plan, and writes everything. If the process dies, or if one
step fails, the transaction leaves nothing behind. Packages are locked before the transaction, because that asks an
index and takes seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.errors import InvalidInputError, NotFoundError, PreconditionFailedError
from scheduler_service.features.apply import store
from scheduler_service.features.apply.drafting import Document, Drafting, Problems
from scheduler_service.features.apply.matching import identity_of, match
from scheduler_service.features.apply.records import Action, Plan, Selector, Step
from scheduler_service.features.apply.rules import deletion, plan_of
from scheduler_service.services.job_packages import packages_of
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

OPERATION = "applyJobs"
_CHANGED = "a job was changed since the plan was made; apply again"

Locks = Mapping[tuple[str, ...], EnvironmentLock | None]


class ApplyService:
    """Plans and applies sets of documents."""

    def __init__(self, database: Database, clock: Clock, jobs: JobService) -> None:
        self._database = database
        self._clock = clock
        self._tools = jobs.tools
        self._writer = self._tools.writer

    async def plan(self, caller: Caller, documents: Sequence[Document], prune: Selector | None = None) -> Plan:
        """Return what an apply would do. `prune` selects jobs that are deleted unless a document means them.

        Raise `RejectedError` with all problems of all documents.
        """
        caller.require(Scope.READ)
        caller.require(Scope.WRITE)
        identities = [identity_of(document, caller.bound or "") for document in documents]
        async with self._database.read() as connection:
            meant = await store.find_meant(connection, identities, caller.bound)
            selected = [] if prune is None else await store.find_selected(connection, prune, caller.bound)
        matches, problems = match(identities, meant), Problems()
        drafting = Drafting(self._tools.acceptance, caller, self._clock.now())
        # In a thread, because a thousand documents take longer than other requests should wait.
        steps = await asyncio.to_thread(drafting.steps, documents, identities, matches, problems)
        await self._check_names(steps, problems)
        problems.check()
        kept = {job.id for job in matches.jobs if job is not None}
        return plan_of([*steps, *(deletion(job) for job in selected if job.id not in kept)])

    async def apply(
        self, caller: Caller, documents: Sequence[Document], prune: Selector | None = None, plan_id: str | None = None
    ) -> Plan:
        """Do what `plan` returns, and return it with the new jobs.

        `plan_id` is that of a plan that somebody saw. Raise `PreconditionFailedError` if the present plan is another
        one or a job changes meanwhile, `ConflictError` if no job can run here, and what `plan` raises.
        """
        plan = await self.plan(caller, documents, prune)
        if plan_id not in {None, plan.id}:
            raise PreconditionFailedError("the jobs were changed since the plan was made; make a new plan")
        if not plan.has_changes:
            return plan
        if plan.having(Action.CREATE):
            self._tools.check_host()
        locks = await self._lock_packages(plan)
        added: list[Job] = []

        async def write(connection: AsyncConnection) -> list[RunNotice]:
            notices = await self._replace(connection, caller, plan, locks)
            added.extend(await self._add(connection, caller, plan, locks))
            return notices

        await self._tools.editing.write_all(write)
        new = iter(added)
        return replace(plan, steps=[_with_job(step, new) for step in plan.steps])

    async def _replace(self, connection: AsyncConnection, caller: Caller, plan: Plan, locks: Locks) -> list[RunNotice]:
        """Delete and change jobs. Deletions come first, so that their keys are free."""
        deleted, changed = plan.having(Action.DELETE), plan.having(Action.CHANGE)
        planned = [step.job for step in (*deleted, *changed) if step.job is not None]
        try:
            settled, notices = await self._writer.settle(connection, caller, [job.id for job in planned])
        except NotFoundError:
            raise PreconditionFailedError(_CHANGED) from None
        if [job.version for job in settled] != [job.version for job in planned]:
            raise PreconditionFailedError(_CHANGED)
        gone, kept = settled[: len(deleted)], settled[len(deleted) :]
        await self._writer.delete(connection, caller, OPERATION, gone)
        edits = []
        for job, step in zip(kept, changed, strict=True):
            assert step.change is not None  # noqa: S101 (what a change is)
            lock = locks.get(_requirements(step))
            edits.append((job, self._writer.packages.apply(job, step.change, lock), lock))
        await self._writer.change(connection, caller, OPERATION, edits)
        return notices

    async def _add(self, connection: AsyncConnection, caller: Caller, plan: Plan, locks: Locks) -> list[Job]:
        definitions = [step.definition for step in plan.having(Action.CREATE) if step.definition is not None]
        drafts = [(definition, locks.get(definition.payload.packages())) for definition in definitions]
        return await self._writer.add(connection, caller, OPERATION, drafts)

    async def _lock_packages(self, plan: Plan) -> Locks:
        """Resolve the requirements of all steps, each set once."""
        problems, locks = Problems(), dict[tuple[str, ...], EnvironmentLock | None]()
        for step in plan.steps:
            wanted = _requirements(step)
            if step.document is None or not wanted or locks.get(wanted) is not None:
                continue
            try:
                locks[wanted] = await self._lock(step, wanted)
            except InvalidInputError as error:
                problems.add_rejection(step.document, error)
        problems.check()
        return locks

    async def _lock(self, step: Step, wanted: tuple[str, ...]) -> EnvironmentLock | None:
        """Resolve the requirements of a step. Return None if its job has a lock for them."""
        if step.job is None or step.change is None:
            return await self._writer.packages.lock(wanted)
        return await self._writer.packages.lock_change(step.job, step.change)

    async def _check_names(self, steps: Sequence[Step], problems: Problems) -> None:
        """Add a problem for each secret and calendar that an owner does not have."""
        named = [(step.document, each) for step in steps if (each := step.definition or step.edited) is not None]
        async with self._database.read() as connection:
            found = await self._tools.references.problems_of_each(connection, [each for _, each in named])
        for (document, _), unknown in zip(named, found, strict=True):
            assert document is not None  # noqa: S101 (only documents create and change jobs)
            problems.add(document, *unknown)


def _requirements(step: Step) -> tuple[str, ...]:
    if step.definition is not None:
        return step.definition.payload.packages()
    payload = None if step.change is None else step.change.columns.get("payload")
    return () if payload is None else packages_of(payload)


def _with_job(step: Step, new: Iterator[Job]) -> Step:
    return replace(step, job=next(new)) if step.action is Action.CREATE else step
