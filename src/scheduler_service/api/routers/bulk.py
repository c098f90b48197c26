"""The endpoints that change many jobs or runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body, Depends
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.errors import ConflictError
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.merge_patch import Described
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.bulk import BulkItem, BulkService
from scheduler_service.services.bulk_request import JobBulkRequest, RunBulkRequest, read_job_bulk, read_run_bulk

router = APIRouter(prefix="/api/v1", route_class=KeyedRoute, dependencies=[Depends(current_caller)])

RESULT: dict[str, Any] = {
    "action": "pause",
    "dry_run": False,
    "count": 2,
    "done": 1,
    "results": [
        {"id": 1, "outcome": "done", "message": None, "run_id": None},
        {
            "id": 2,
            "outcome": "refused",
            "message": "the job is finished: it has no future runs to pause",
            "run_id": None,
        },
    ],
}
_OF_JOBS: dict[str, Any] = {
    "pause": {
        "summary": "Pause all jobs with a tag, if there are 12",
        "value": {"action": "pause", "filter": {"tag": "nightly"}, "expected_count": 12},
    },
    "tag": {"summary": "Tag two jobs", "value": {"action": "tag", "ids": [1, 2], "tags": ["nightly"]}},
}
_OF_RUNS: dict[str, Any] = {
    "cancel": {
        "summary": "Show which queued runs of a job would be cancelled",
        "value": {"action": "cancel", "filter": {"job_id": 1, "status": ["queued"]}, "dry_run": True},
    }
}

JobBulk = Annotated[dict[str, Any], Described(JobBulkRequest), Body(openapi_examples=_OF_JOBS)]
RunBulk = Annotated[dict[str, Any], Described(RunBulkRequest), Body(openapi_examples=_OF_RUNS)]


class BulkItemOut(Answer):
    """What became of one object."""

    model_config = ConfigDict(title="BulkItem")

    id: Annotated[int, Field(description="Identifier of the job or run.")]
    outcome: Annotated[
        Literal["planned", "done", "refused", "not_found"],
        Field(description="`planned`: a dry run. `refused`: its state does not allow the action; see `message`."),
    ]
    message: Annotated[str | None, Field(description="Why it was not changed. Null: nothing to add.")]
    run_id: Annotated[int | None, Field(description="The run that the action created. Null: none.")]


class BulkOut(Answer):
    """The result of an action on many objects."""

    model_config = ConfigDict(title="BulkResult", json_schema_extra={"examples": [RESULT]})

    action: Annotated[str, Field(description="The action.")]
    dry_run: Annotated[bool, Field(description="Whether nothing was changed.")]
    count: Annotated[int, Field(description="Number of objects that were meant.")]
    done: Annotated[int, Field(description="Number of objects that were changed.")]
    results: Annotated[list[BulkItemOut], Field(description="What became of each.")]

    @classmethod
    def of(cls, request: JobBulkRequest | RunBulkRequest, items: Sequence[BulkItem]) -> Self:
        """Build the answer."""
        return cls(
            action=request.action,
            dry_run=request.dry_run,
            count=len(items),
            done=sum(item.outcome == "done" for item in items),
            results=[
                BulkItemOut(id=item.id, outcome=item.outcome, message=item.message, run_id=item.run_id)
                for item in items
            ],
        )


@router.post(
    "/jobs/bulk",
    tags=["jobs"],
    operation_id="changeJobs",
    summary="Change many jobs",
    responses={200: answer("What became of each job.", RESULT), **refusals(ConflictError, takes_body=True)},
)
async def change_jobs(request: JobBulk, service: CurrentService, caller: CurrentCaller) -> BulkOut:
    """Pause, resume, delete, run, tag or untag up to 1,000 jobs, by `ids` or by `filter`.

    Each job is changed in its own transaction and has its own result and audit entry, as if it were changed alone.
    """
    read = read_job_bulk(request)
    return BulkOut.of(read, await _bulk(service).change_jobs(caller, read))


@router.post(
    "/runs/bulk",
    tags=["runs"],
    operation_id="changeRuns",
    summary="Change many runs",
    responses={200: answer("What became of each run.", RESULT), **refusals(ConflictError, takes_body=True)},
)
async def change_runs(request: RunBulk, service: CurrentService, caller: CurrentCaller) -> BulkOut:
    """Cancel or retry up to 1,000 runs, by `ids` or by `filter`, the newest first."""
    read = read_run_bulk(request)
    return BulkOut.of(read, await _bulk(service).change_runs(caller, read))


def _bulk(service: CurrentService) -> BulkService:
    return BulkService(service.jobs, service.runs, service.listing, service.run_listing)
