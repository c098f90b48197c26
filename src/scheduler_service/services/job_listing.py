"""Lists of jobs for clients that keep what they have shown of a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.listing import Count, JobFilter, Listing, Page
from scheduler_service.domain.records import Job, JobState
from scheduler_service.storage import job_lists, jobs
from scheduler_service.storage.database import Database


class JobListing:
    """Reads lists of jobs, with the definitions of those that are not known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, caller: Caller, filters: JobFilter, page: Page, is_known: Callable[[JobState], bool]
    ) -> tuple[Listing[JobState], Mapping[int, Job]]:
        """Return a page of the states of jobs, and the jobs among them that are not known, from one snapshot."""
        caller.require(Scope.READ)
        async with self._database.snapshot() as snapshot:
            listing = await job_lists.page_of_states(snapshot, filters, page, owner_id=caller.bound)
            unknown = [state.id for state in listing.items if not is_known(state)]
            return listing, await job_lists.read(snapshot, unknown)

    async def ids(self, caller: Caller, filters: JobFilter, limit: int) -> list[int]:
        """Return the ids of up to `limit` jobs."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            page = Page(size=limit, count=Count.NONE)
            listing = await job_lists.page_of_states(connection, filters, page, owner_id=caller.bound)
        return [state.id for state in listing.items]

    async def names(self, caller: Caller, job_ids: Sequence[int]) -> dict[int, str]:
        """Return the names of those of the jobs that the caller reaches."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            found = await jobs.find_all(connection, job_ids, owner_id=caller.bound)
        return {job_id: job.name for job_id, job in found.items()}
