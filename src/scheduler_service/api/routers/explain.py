"""The endpoint that explains a job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS
from scheduler_service.domain.blockers import Blocker, Code
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_sentences import sentence_of
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.errors import NotFoundError
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import Digits, JobId
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.explanations import Explanation
from scheduler_service.services.input_models import Input

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

EXPLANATION: dict[str, Any] = {
    "job_id": 1,
    "status": "active",
    "next_run_at": "2026-01-15T10:30:00Z",
    "last": [
        {
            "run_id": 7,
            "scheduled_for": "2026-01-15T10:20:00Z",
            "trigger": "schedule",
            "status": "skipped",
            "reason": "overlap",
            "missed_until": None,
            "missed_count": None,
            "sentence": "The run of 2026-01-15T10:20:00Z was skipped: the job was busy.",
        }
    ],
    "blockers": [
        {"code": "paused", "met": True, "sentence": "The job is not paused.", "remedy": None},
        {
            "code": "workers",
            "met": False,
            "sentence": "No worker is alive: runs stay queued.",
            "remedy": "Start a worker: scheduler up, or scheduler worker.",
        },
    ],
}


class ExplainQuery(Input):
    """The number of rows."""

    last: Annotated[
        int, Field(ge=1, le=100, description="Largest number of past rows, 1 to 100. Default 10."), Digits
    ] = 10


class PastOut(Answer):
    """What became of an instant or of a manual run."""

    model_config = ConfigDict(title="Past")

    run_id: Annotated[int, Field(description="Identifier of the run or row.")]
    scheduled_for: Annotated[datetime, Field(description="The instant; the first one of a range.")]
    trigger: Annotated[Trigger, Field(description="What created the row.")]
    status: Annotated[RunStatus, Field(description="Its status.")]
    reason: Annotated[Reason | None, Field(description="Why it did not succeed or did not run. Null: it did.")]
    missed_until: Annotated[datetime | None, Field(description="Last instant of a missed range, or null.")]
    missed_count: Annotated[int | None, Field(description="Number of missed instants, or null.")]
    sentence: Annotated[str, Field(description="The same in English.")]

    @classmethod
    def of(cls, run: Run) -> Self:
        """Build the answer from a run."""
        copied = cls.model_fields.keys() - {"run_id", "sentence"}
        return cls(run_id=run.id, sentence=sentence_of(run), **{name: getattr(run, name) for name in copied})


class BlockerOut(Answer):
    """A condition of the next run."""

    model_config = ConfigDict(title="Blocker")

    code: Annotated[Code, Field(description="The condition.")]
    met: Annotated[bool, Field(description="Whether it is met. False: it holds the run back, or changes its time.")]
    sentence: Annotated[str, Field(description="The condition as it is now, in English.")]
    remedy: Annotated[str | None, Field(description="What to do about it. Null: nothing has to be done.")]

    @classmethod
    def of(cls, blocker: Blocker) -> Self:
        """Build the answer from a condition."""
        return cls(**{name: getattr(blocker, name) for name in cls.model_fields})


class ExplanationOut(Answer):
    """Why a job ran or did not run, and what would hold its next run back."""

    model_config = ConfigDict(title="Explanation", json_schema_extra={"examples": [EXPLANATION]})

    job_id: Annotated[int, Field(description="Identifier of the job.")]
    status: Annotated[JobStatus, Field(description="Status of the job.")]
    next_run_at: Annotated[datetime | None, Field(description="Next instant of its schedule, or null.")]
    last: Annotated[list[PastOut], Field(description="The newest rows of the job, newest first.")]
    blockers: Annotated[list[BlockerOut], Field(description="Every condition of the next run, met or not.")]

    @classmethod
    def of(cls, explained: Explanation) -> Self:
        """Build the answer from an explanation."""
        return cls(
            job_id=explained.job.id,
            status=explained.job.status,
            next_run_at=explained.job.next_run_at,
            last=[PastOut.of(run) for run in explained.last],
            blockers=[BlockerOut.of(blocker) for blocker in explained.blockers],
        )


@router.get(
    "/{job_id}/explain",
    operation_id="explainJob",
    summary="Explain why a job runs or does not run",
    responses={200: answer("Past rows, and the conditions of the next run.", EXPLANATION), **refusals(NotFoundError)},
)
async def explain_job(
    job_id: JobId, query: Annotated[ExplainQuery, Query()], service: CurrentService, caller: CurrentCaller
) -> ExplanationOut:
    """What became of the last instants, and every condition of the next run: whether it is met, and a remedy."""
    job = await service.jobs.get(caller, job_id)
    states = await service.feature(EnvironmentService).states([job.environment_id])
    state = states.get(job.environment_id or "")
    return ExplanationOut.of(await service.explanations.explain(caller, job, state, query.last))
