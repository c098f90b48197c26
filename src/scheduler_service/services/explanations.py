"""Why a job ran or did not run, and what would hold its next run back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.blockers import Blocker, Situation, blockers
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.listing import Count, Page, RunFilter
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.records import Job, Run
from scheduler_service.errors import NotFoundError
from scheduler_service.services.liveness import Liveness, liveness
from scheduler_service.storage import calendars, dependencies, quotas, run_lists, runs, stored_bytes, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Explanation:
    """The newest rows of a job, and the conditions of its next run."""

    job: Job
    last: tuple[Run, ...]
    blockers: tuple[Blocker, ...]


class ExplanationService:
    """Explains jobs from what is stored."""

    def __init__(
        self, database: Database, clock: Clock, *, heartbeat_seconds: float, quotas: Quotas = NO_QUOTAS
    ) -> None:
        """Expect a heartbeat of each worker every `heartbeat_seconds`. Owners without other quotas have `quotas`."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._quotas = quotas

    async def explain(self, caller: Caller, job: Job, environment: EnvironmentState | None, last: int) -> Explanation:
        """Explain the `last` newest rows and the next run of a job that was just read.

        Raise `NotFoundError` if the caller may not reach it.
        """
        caller.require(Scope.READ)
        if caller.bound not in {None, job.owner_id}:
            raise NotFoundError(f"there is no job {job.id}")
        async with self._database.read() as connection:
            page = Page(size=last, count=Count.NONE)
            rows = (await run_lists.page(connection, RunFilter(job_id=job.id), page)).items
            situation = await self._situation(connection, job, environment, rows)
        return Explanation(job, tuple(rows), blockers(situation))

    async def _situation(
        self, connection: AsyncConnection, job: Job, environment: EnvironmentState | None, rows: tuple[Run, ...]
    ) -> Situation:
        now = self._clock.now()
        found = await workers.living(connection)
        states = [(liveness(worker, now, self._heartbeat_seconds), worker) for worker in found]
        active = await runs.count_active(connection, [job.id])
        return Situation(
            job=job,
            active=active.get(job.id, 0),
            of_key=await runs.count_slots_of_key(connection, job),
            ready=[worker for state, worker in states if state is Liveness.ALIVE],
            unfit=[worker for state, worker in states if state is Liveness.UNFIT],
            environment=environment,
            calendar=await calendars.find_for(connection, job),
            awaited=[end.upstream_id for end in await dependencies.ends_of(connection, job.id) if end.run_id is None],
            quotas=await quotas.find(connection, job.owner_id, self._quotas),
            running_of_owner=await quotas.count_running(connection, job.owner_id),
            in_minute=await quotas.count_in_minute(connection, job.owner_id, now),
            stored_mb=(await stored_bytes.find_mb(connection, [job.owner_id])).get(job.owner_id, 0),
            last_reason=rows[0].reason if rows else None,
        )
