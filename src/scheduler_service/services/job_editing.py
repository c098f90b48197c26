"""Changes the definition of one job in one transaction.

Theory of operation. The old schedule accounts for every instant up to the transaction, which then stores the new
columns with the next version, and both trails: the audit entry and the version. Instants from then on belong to the
new schedule. Packages are locked before the transaction, because that asks an index and takes seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.services.job_acceptance import JobChange, JobDraft
from scheduler_service.services.job_rows import Versions, check_version, existing
from scheduler_service.services.job_writer import JobWriter
from scheduler_service.storage.database import Database


class JobEditing:
    """Changes jobs. Each call of `edit` and `change` is one transaction, committed when the call returns."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        wake_dispatcher: Callable[[], None],
        writer: JobWriter,
    ) -> None:
        """Call `wake_dispatcher` after a commit that may have made a job due earlier."""
        self._database = database
        self._broker = broker
        self._wake_dispatcher = wake_dispatcher
        self._writer = writer

    async def edit(
        self, caller: Caller, job_id: int, operation: str, if_match: Versions, plan: Callable[[Job], JobDraft]
    ) -> Job:
        """Change the definition of a job, and lock new requirements before the transaction.

        Raise `RejectedError` with all problems of the new definition.
        """
        caller.require(Scope.WRITE)
        async with self._database.read() as connection:
            read = await existing(connection, caller, job_id)
            check_version(read, if_match)
            draft = plan(read)
            unknown = await self._writer.references.problems_of_draft(connection, draft, read)
        accepted = draft.accept_edit(unknown)
        lock = await self._writer.packages.lock_change(read, accepted)

        def change(job: Job) -> JobChange:
            # Inspected again only if the job has changed meanwhile.
            return self._writer.packages.apply(job, accepted if job == read else plan(job).accept_edit(), lock)

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
            (job,), notices = await self._writer.settle(connection, caller, [job_id])
            check_version(job, if_match)
            (edited,) = await self._writer.change(connection, caller, operation, [(job, plan(job), lock)])
        await self._broker.send(notices)
        self._wake_dispatcher()
        return edited

    async def write_all(self, write: Callable[[AsyncConnection], Awaitable[Sequence[RunNotice]]]) -> None:
        """Execute a change of many jobs in one transaction. It returns the runs to notify workers of."""
        async with self._database.write() as connection:
            notices = await write(connection)
        await self._broker.send(notices)
        self._wake_dispatcher()
