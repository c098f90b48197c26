"""The endpoint that runs past instants of a job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Depends, Response, status
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS
from scheduler_service.domain.backfill import Outcome
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.merge_patch import Described
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import JobId
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.backfill_request import BackfillRequest, read_backfill_request
from scheduler_service.services.backfills import Backfill

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

BACKFILL: dict[str, Any] = {
    "dry_run": False,
    "matched": 1,
    "queued": 1,
    "instants": [{"scheduled_for": "2026-01-14T10:30:00Z", "outcome": "missed", "run_id": 7}],
}
_REQUESTS: dict[str, Any] = {
    "gaps": {
        "summary": "Show which instants of a day have no run",
        "value": {"from": "2026-01-14T00:00:00Z", "to": "2026-01-14T23:59:59Z", "dry_run": True},
    },
    "failures": {
        "summary": "Run the newest 10 failed instants again",
        "value": {
            "from": "2026-01-01T00:00:00Z",
            "to": "2026-01-14T23:59:59Z",
            "only": "failed",
            "max_runs": 10,
            "order": "newest_first",
        },
    },
}


class BackfilledInstant(Answer):
    """An instant that a backfill runs."""

    scheduled_for: Annotated[datetime, Field(description="The instant.")]
    outcome: Annotated[
        Outcome,
        Field(description="What became of it before. `gap`: the schedule did not owe it, or its row was deleted."),
    ]
    run_id: Annotated[
        int | None, Field(description="The run, queued. Null: a dry run, or the instant has an active backfill run.")
    ]


class BackfillOut(Answer):
    """The instants that a backfill runs."""

    model_config = ConfigDict(title="BackfillResult", json_schema_extra={"examples": [BACKFILL]})

    dry_run: Annotated[bool, Field(description="Whether nothing was queued.")]
    matched: Annotated[int, Field(description="Number of instants of the window that `only` means.")]
    queued: Annotated[int, Field(description="Number of runs that were queued, up to `max_runs`.")]
    instants: Annotated[list[BackfilledInstant], Field(description="The instants within the budget, in order.")]

    @classmethod
    def of(cls, request: BackfillRequest, done: Backfill) -> Self:
        """Build the answer."""
        instants = [
            BackfilledInstant(
                scheduled_for=each.scheduled_for, outcome=each.outcome, run_id=done.run_ids.get(each.scheduled_for)
            )
            for each in done.chosen
        ]
        return cls(dry_run=request.dry_run, matched=done.matched, queued=len(done.run_ids), instants=instants)


@router.post(
    "/{job_id}/backfill",
    operation_id="backfillJob",
    summary="Run past instants of a job",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        200: answer("A dry run: nothing was queued.", {**BACKFILL, "dry_run": True, "queued": 0}),
        202: answer("The runs, queued.", BACKFILL),
        **refusals(NotFoundError, ConflictError, takes_body=True),
    },
)
async def backfill_job(
    job_id: JobId,
    request: Annotated[dict[str, Any], Described(BackfillRequest), Body(openapi_examples=_REQUESTS)],
    service: CurrentService,
    caller: CurrentCaller,
    response: Response,
) -> BackfillOut:
    """Queue a run with the trigger `backfill` for each chosen instant of a window. The rows of the ledger stay.

    Instants are those of the present schedule, without days that a calendar excludes, and those that have a row. The
    runs wait for free slots of the job behind its other runs, and do not count for its `overlap_policy`.
    """
    read = read_backfill_request(request)
    done = await service.jobs.backfill(caller, job_id, read)
    if read.dry_run:
        response.status_code = status.HTTP_200_OK
    return BackfillOut.of(read, done)
