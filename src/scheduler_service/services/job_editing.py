"""Changes the definition of one job in one transaction.

Theory of operation. The old schedule accounts for every instant up to the transaction, which then stores the new
columns with the next version, and both trails: the audit entry and the version. Instants from then on belong to the
new schedule. Packages are locked before the transaction, because that asks an index and takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.records import Job
from scheduler_service.domain.rescheduling import rescheduled
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.services.job_acceptance import JobChange
from scheduler_service.services.job_packages import JobPackages
from scheduler_service.services.job_rows import Versions, check_version, existing, items_of, stored
from scheduler_service.services.job_secrets import KnownSecrets, check_known
from scheduler_service.services.job_trail import record_job
from scheduler_service.storage import calendars, jobs, ledger
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.telemetry import tracing


class JobEditing:
    """Changes jobs. Each call of `edit` and `change` is one transaction, committed when the call returns."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        wake_dispatcher: Callable[[], None],
        packages: JobPackages,
        secrets: KnownSecrets,
    ) -> None:
        """Call `wake_dispatcher` after a commit that may have made a job due earlier."""
        self._database = database
        self._broker = broker
        self._clock = clock
        self._wake_dispatcher = wake_dispatcher
        self._packages = packages
        self._secrets = secrets

    async def edit(
        self, caller: Caller, job_id: int, operation: str, if_match: Versions, plan: Callable[[Job], JobChange]
    ) -> Job:
        """Change the definition of a job, and lock new requirements before the transaction."""
        caller.require(Scope.WRITE)
        async with self._database.read() as connection:
            job = await existing(connection, caller, job_id)
        check_version(job, if_match)
        lock = await self._packages.lock_change(job, plan(job))

        def change(job: Job) -> JobChange:
            return self._packages.apply(job, plan(job), lock)

        return await self.change(caller, job_id, operation, if_match, change, lock)

    async def change(
        self,
        caller: Caller,
        job_id: int,
        operation: str,
        if_match: Versions,
        plan: Callable[[Job], JobChange],
        lock: EnvironmentLock | None = None,
    ) -> Job:
        """Change a job. `operation` is its name in the API's documentation.

        1. Lock it, and let the old schedule account for every instant until now.
        2. Compute the new columns. Instants from now on follow the new schedule.
        3. Store them with the next version. A change without effect keeps the version.
        """
        caller.require(Scope.WRITE)
        async with self._database.write() as connection:
            job, notices = await self.settled(connection, caller, job_id, if_match)
            now = self._clock.now()
            change = plan(job)
            edited = rescheduled(job, replace(job, **change.columns), enabled=change.enabled, now=now)
            if edited.secrets != job.secrets or edited.owner_id != job.owner_id:
                await check_known(self._secrets, connection, edited.owner_id, edited.secrets)
            if edited.calendars != job.calendars or edited.owner_id != job.owner_id:
                await calendars.find_for(connection, edited)
            if edited != job:
                values = {name: value for name, value in items_of(edited) if value != getattr(job, name)}
                edited = await stored(connection, job, {**values, "updated_at": now})
            await self._packages.keep(connection, edited, lock)
            await record_job(connection, caller, operation, now, before=job, after=edited)
        await self._broker.send(notices)
        self._wake_dispatcher()
        return edited

    async def settled(
        self, connection: AsyncConnection, caller: Caller, job_id: int, if_match: Versions
    ) -> tuple[Job, list[RunNotice]]:
        """Lock a job and return it, after its schedule has accounted for every instant until now.

        The caller sends the notices after the commit.
        """
        job = await existing(connection, caller, job_id, lock=True)
        check_version(job, if_match)
        notices: list[RunNotice] = []
        while job.next_run_at is not None and job.next_run_at <= (now := self._clock.now()):
            notices += (await ledger.fire(connection, [jobs.as_due(job)], now, tracing.context_for_run)).notices
            job = await existing(connection, caller, job_id)
        return job, notices
