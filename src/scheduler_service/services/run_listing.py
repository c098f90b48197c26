"""Lists of runs for clients that keep what they have shown of a run that has ended, and neighbours of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.listing import Count, Listing, Page, RunFilter
from scheduler_service.domain.records import Run, RunState
from scheduler_service.domain.run_state import ACTIVE, RunStatus
from scheduler_service.services.job_rows import check_history
from scheduler_service.services.run_rows import existing
from scheduler_service.services.runs import TAIL_BYTES
from scheduler_service.storage import logs, recent, run_lists
from scheduler_service.storage.database import Database


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of the states of runs, the runs among them that are not known, and what is shown beside them.

    `tails` are the ends of the logs, `expected_seconds` the usual durations of the jobs of active runs.
    """

    listing: Listing[RunState]
    unknown: Mapping[int, Run]
    tails: Mapping[int, bytes]
    expected_seconds: Mapping[int, float]


class RunListing:
    """Reads lists of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        caller: Caller,
        filters: RunFilter,
        page: Page,
        is_known: Callable[[RunState], bool],
        *,
        has_logs: bool = True,
    ) -> RunPage:
        """Return a page of runs, newest first. A run that is deleted meanwhile is neither known nor returned."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            listing = await run_lists.page_of_states(connection, filters, page, owner_id=caller.bound)
            states = listing.items
            unknown = await run_lists.read(connection, [state.id for state in states if not is_known(state)])
            tails = await logs.tails(connection, states if has_logs else (), TAIL_BYTES)
            active = [state.job_id for state in states if state.status in ACTIVE]
            return RunPage(listing, unknown, tails, await recent.expected_seconds(connection, active))

    async def ids(self, caller: Caller, filters: RunFilter, limit: int) -> list[int]:
        """Return the ids of up to `limit` runs."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            page = Page(size=limit, count=Count.NONE)
            listing = await run_lists.page_of_states(connection, filters, page, owner_id=caller.bound)
        return [state.id for state in listing.items]

    async def neighbour(
        self, caller: Caller, run_id: int, statuses: Collection[RunStatus] = (), *, is_next: bool = False
    ) -> int | None:
        """Return the run of the same job before a run, or after it, or None. Raise `NotFoundError` for an unknown run.

        It has one of the statuses if there are any. Only runs that are near are searched.
        """
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            run = await existing(connection, caller, run_id)
            return await recent.neighbour(connection, run, statuses, is_next=is_next)

    async def expected_seconds(self, caller: Caller, job_id: int) -> float | None:
        """Return the median duration of the newest successes of a job. None: there are none, or no such job."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return (await recent.expected_seconds(connection, [job_id], owner_id=caller.bound)).get(job_id)

    async def check_job(self, caller: Caller, job_id: int) -> None:
        """Raise `NotFoundError` if there is no job with this id, and no history of one."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            await check_history(connection, caller, job_id)
