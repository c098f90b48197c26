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
from scheduler_service.features.apply import store, upstreams
from scheduler_service.features.apply.drafting import Document, Drafting, Problems
from scheduler_service.features.apply.matching import Stored, identity_of, match
from scheduler_service.features.apply.records import Action, Plan, Selector, Step
from scheduler_service.features.apply.rules import deletion, plan_of
from scheduler_service.features.apply.upstreams import Upstreams
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_packages import packages_of
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import dependencies
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
            meant = await store.find_meant(
                connection, [*identities, *upstreams.named_in(documents, identities)], caller.bound
            )
            selected = [] if prune is None else await store.find_selected(connection, prune, caller.bound)
        stored, problems = Stored.having(meant), Problems()
        matches = match(identities, stored)
        named = Upstreams.of(identities, matches.jobs, stored)
        drafting = Drafting(self._tools.acceptance, caller, self._clock.now(), named)
        # In a thread, because a thousand documents take longer than other requests should wait.
        steps = await asyncio.to_thread(drafting.steps, documents, identities, matches, problems)
        await self._check_names(steps, named, problems)
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
        added: dict[int, Job] = {}

        async def write(connection: AsyncConnection) -> list[RunNotice]:
            gone, kept, notices = await self._settle(connection, caller, plan)
            await self._writer.quotas.lock(connection, {job.owner_id for job in _written(plan)})
            added.update(await self._add(connection, caller, plan, locks))
            ids = {upstreams.FIRST_STAND_IN + document: job.id for document, job in added.items()}
            await self._change(connection, caller, plan, kept, locks, ids)
            # Behind the changes, because a job that is deleted may have been an upstream job of a changed one.
            await self._writer.delete(connection, caller, OPERATION, gone)
            return notices

        await self._tools.editing.write_all(write)
        return replace(plan, steps=[_with_job(step, added) for step in plan.steps])

    async def _settle(
        self, connection: AsyncConnection, caller: Caller, plan: Plan
    ) -> tuple[list[Job], list[Job], list[RunNotice]]:
        """Lock the jobs that are deleted and those that are changed. Return them, and notices of runs."""
        deleted, changed = plan.having(Action.DELETE), plan.having(Action.CHANGE)
        planned = [step.job for step in (*deleted, *changed) if step.job is not None]
        try:
            settled, notices = await self._writer.settle(connection, caller, [job.id for job in planned])
        except NotFoundError:
            raise PreconditionFailedError(_CHANGED) from None
        if [job.version for job in settled] != [job.version for job in planned]:
            raise PreconditionFailedError(_CHANGED)
        return settled[: len(deleted)], settled[len(deleted) :], notices

    async def _change(
        self,
        connection: AsyncConnection,
        caller: Caller,
        plan: Plan,
        kept: Sequence[Job],
        locks: Locks,
        ids: Mapping[int, int],
    ) -> None:
        edits = []
        for job, step in zip(kept, plan.having(Action.CHANGE), strict=True):
            assert step.change is not None  # noqa: S101 (what a change is)
            lock = locks.get(_requirements(step))
            change = upstreams.change_with_ids(step.change, ids)
            edits.append((job, self._writer.packages.apply(job, change, lock), lock))
        await self._writer.change(connection, caller, OPERATION, edits)

    async def _add(self, connection: AsyncConnection, caller: Caller, plan: Plan, locks: Locks) -> dict[int, Job]:
        """Store the new jobs, upstream jobs first. Return them by their documents."""
        added: dict[int, Job] = {}
        waiting = {
            step.document: step.definition
            for step in plan.having(Action.CREATE)
            if step.document is not None and step.definition is not None
        }
        while waiting:
            ids = {upstreams.FIRST_STAND_IN + document: job.id for document, job in added.items()}
            ready = {
                document: upstreams.with_ids(definition, ids)
                for document, definition in waiting.items()
                if upstreams.stand_ins(definition) <= ids.keys()
            }
            drafts = [(definition, locks.get(definition.payload.packages())) for definition in ready.values()]
            added.update(zip(ready, await self._writer.add(connection, caller, OPERATION, drafts), strict=True))
            waiting = {document: waiting[document] for document in waiting if document not in ready}
        return added

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

    async def _check_names(self, steps: Sequence[Step], named: Upstreams, problems: Problems) -> None:
        """Add a problem for each secret, calendar and upstream job that an owner does not have, and for each cycle."""
        naming = [(step.document, each) for step in steps if (each := step.definition or step.edited) is not None]
        ids = {each for _, job in naming for each in upstreams.upstream_ids(job) if not upstreams.is_stand_in(each)}
        async with self._database.read() as connection:
            found = await self._tools.references.problems_of_each(connection, [each for _, each in naming])
            owners = await dependencies.owners_of(connection, ids) if ids else {}
            edges = await dependencies.edges_above(connection, ids)
        for (document, job), unknown in zip(naming, found, strict=True):
            assert document is not None  # noqa: S101 (only documents create and change jobs)
            problems.add(document, *unknown, *upstreams.unknown_ids(job, owners))
        for document, problem in named.cycles(steps, edges):
            problems.add(document, problem)


def _written(plan: Plan) -> Iterator[JobDefinition | Job]:
    """Yield each job that is created or changed, as it will be."""
    for step in (*plan.having(Action.CREATE), *plan.having(Action.CHANGE)):
        if (job := step.definition or step.edited) is not None:
            yield job


def _requirements(step: Step) -> tuple[str, ...]:
    if step.definition is not None:
        return step.definition.payload.packages()
    payload = None if step.change is None else step.change.columns.get("payload")
    return () if payload is None else packages_of(payload)


def _with_job(step: Step, added: Mapping[int, Job]) -> Step:
    return replace(step, job=added[step.document]) if step.document in added and step.document is not None else step
