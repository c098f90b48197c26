"""The endpoint of the newest outcomes of several jobs, as a list of jobs shows them beside each job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS
from scheduler_service.domain.outcomes import Outcome
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.http.answers import Answer, span_seconds
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import Digits, Id, Separated
from scheduler_service.http.route import KeyedRoute, json_response
from scheduler_service.services.input_models import Input

MAX_IDS = 100
MAX_OUTCOMES = 50

OUTCOME: dict[str, Any] = {
    "run_id": 91,
    "status": "failed",
    "reason": "exit_code",
    "trigger": "schedule",
    "scheduled_for": "2026-01-15T10:30:00Z",
    "missed_count": None,
    "started_at": "2026-01-15T10:30:00.010000Z",
    "duration_seconds": 5.0,
}
OUTCOMES: dict[str, Any] = {"jobs": [{"job_id": 1, "outcomes": [OUTCOME]}]}

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])


class OutcomesQuery(Input):
    """The jobs whose outcomes are shown."""

    ids: Annotated[
        Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)],
        Separated,
        Field(description="Ids of up to 100 jobs: `ids=1,2,3`, or the parameter repeated."),
    ]
    last: Annotated[
        int, Field(ge=1, le=MAX_OUTCOMES, description="Outcomes of each job, 1 to 50. Default 20."), Digits
    ] = 20


class OutcomeOut(Answer):
    """A run, or an instant without a run, in short."""

    model_config = ConfigDict(title="Outcome")

    run_id: Annotated[int, Field(description="Identifier of the run or row.")]
    status: Annotated[RunStatus, Field(description="State of the run.")]
    reason: Annotated[Reason | None, Field(description="Why it did not succeed or never started. Null: no reason.")]
    trigger: Annotated[Trigger, Field(description="What created the row.")]
    scheduled_for: Annotated[datetime, Field(description="The instant; the first one of a range.")]
    missed_count: Annotated[
        int | None, Field(description="Number of instants that a `missed` row stands for. Null for other rows.")
    ]
    started_at: Annotated[datetime | None, Field(description="Start of the latest attempt. Null: none has started.")]
    duration_seconds: Annotated[
        float | None, Field(description="Duration of the latest attempt, in seconds. Null: it has not ended.")
    ]


class JobOutcomes(Answer):
    """The newest outcomes of a job."""

    job_id: Annotated[int, Field(description="Identifier of the job.")]
    outcomes: Annotated[list[OutcomeOut], Field(description="Its newest outcomes, newest first.")]


class OutcomesOut(Answer):
    """The newest outcomes of several jobs."""

    model_config = ConfigDict(title="Outcomes", json_schema_extra={"examples": [OUTCOMES]})

    jobs: Annotated[list[JobOutcomes], Field(description="One item for each job that the caller may see.")]


@router.get(
    "/recent",
    operation_id="listRecentOutcomes",
    summary="List the newest outcomes of several jobs",
    response_model=OutcomesOut,
    responses={200: answer("The outcomes of each job.", OUTCOMES), **refusals()},
)
async def list_recent_outcomes(
    query: Annotated[OutcomesQuery, Query()], service: CurrentService, caller: CurrentCaller
) -> Response:
    """For each job its newest runs and other rows of the ledger, without logs. Unknown jobs are left out."""
    found = await service.runs.recent(caller, query.ids, query.last)
    return json_response({"jobs": [_job_outcomes(job_id, outcomes) for job_id, outcomes in found.items()]})


def _job_outcomes(job_id: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {"job_id": job_id, "outcomes": [_outcome(outcome) for outcome in outcomes]}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    duration_seconds = span_seconds(outcome.started_at, outcome.finished_at)
    copied = (name for name in OutcomeOut.model_fields if name != "duration_seconds")
    return {**{name: getattr(outcome, name) for name in copied}, "duration_seconds": duration_seconds}
