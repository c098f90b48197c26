"""Changes many jobs or runs by one request: each in a transaction of its own, with its own result.

So a job that refuses the change does not keep the others from it, and a long request does not hold up other writers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError, NotFoundError, QuotaError
from scheduler_service.services.bulk_request import MAX_ITEMS, JobBulkRequest, RunBulkRequest
from scheduler_service.services.job_listing import JobListing
from scheduler_service.services.jobs import JobService
from scheduler_service.services.run_listing import RunListing
from scheduler_service.services.runs import RunService


@dataclass(frozen=True, slots=True)
class BulkItem:
    """What became of one object. `run_id` is the run that the change created."""

    id: int
    outcome: Literal["planned", "done", "refused", "not_found"]
    message: str | None = None
    run_id: int | None = None


class BulkService:
    """Applies an action to jobs and to runs."""

    def __init__(self, jobs: JobService, runs: RunService, job_listing: JobListing, run_listing: RunListing) -> None:
        self._jobs = jobs
        self._runs = runs
        self._job_listing = job_listing
        self._run_listing = run_listing

    async def change_jobs(self, caller: Caller, request: JobBulkRequest) -> list[BulkItem]:
        """Change jobs, and return what became of each.

        Raise `ConflictError` if there are more or fewer than the request expects; nothing is changed then.
        """
        caller.require(Scope.RUN if request.action == "run" else Scope.WRITE)
        ids = request.ids
        if request.filter is not None:
            ids = await self._job_listing.ids(caller, request.filter.filters(), MAX_ITEMS + 1)
        return await _each(ids or [], request, lambda job_id: self._change_job(caller, request, job_id))

    async def change_runs(self, caller: Caller, request: RunBulkRequest) -> list[BulkItem]:
        """Change runs, as `change_jobs` changes jobs."""
        caller.require(Scope.RUN)
        ids = request.ids
        if request.filter is not None:
            ids = await self._run_listing.ids(caller, request.filter.filters(), MAX_ITEMS + 1)
        return await _each(ids or [], request, lambda run_id: self._change_run(caller, request, run_id))

    async def _change_job(self, caller: Caller, request: JobBulkRequest, job_id: int) -> int | None:
        match request.action:
            case "pause":
                await self._jobs.pause(caller, job_id)
            case "resume":
                await self._jobs.resume(caller, job_id)
            case "delete":
                await self._jobs.delete(caller, job_id)
            case "run":
                return (await self._jobs.run(caller, job_id)).id
            case "tag":
                await self._jobs.retag(caller, job_id, add=request.tags)
            case "untag":
                await self._jobs.retag(caller, job_id, remove=request.tags)
        return None

    async def _change_run(self, caller: Caller, request: RunBulkRequest, run_id: int) -> int | None:
        if request.action == "retry":
            return (await self._runs.retry(caller, run_id)).id
        await self._runs.cancel(caller, run_id)
        return None


async def _each(
    ids: Sequence[int], request: JobBulkRequest | RunBulkRequest, change: Callable[[int], Awaitable[int | None]]
) -> list[BulkItem]:
    ids = list(dict.fromkeys(ids))
    if len(ids) > MAX_ITEMS:
        raise InvalidInputError(FieldProblem("filter", f"matches more than {MAX_ITEMS} objects; narrow it"))
    if request.expected_count not in {None, len(ids)}:
        raise ConflictError(
            f"the request means {len(ids)} objects, not {request.expected_count}; "
            "nothing was changed, look at them again"
        )
    if request.dry_run:
        return [BulkItem(item_id, "planned") for item_id in ids]
    return [await _one(item_id, change) for item_id in ids]


async def _one(item_id: int, change: Callable[[int], Awaitable[int | None]]) -> BulkItem:
    try:
        return BulkItem(item_id, "done", run_id=await change(item_id))
    except NotFoundError as error:
        return BulkItem(item_id, "not_found", str(error))
    except (ConflictError, InvalidInputError, QuotaError) as error:
        return BulkItem(item_id, "refused", str(error))
