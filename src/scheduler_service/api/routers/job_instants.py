"""The endpoint of a job's future instants."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS
from scheduler_service.api.routers.schedules import InstantOut
from scheduler_service.errors import NotFoundError
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import Digits, JobId
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.input_models import Input

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

NEXT: dict[str, Any] = {
    "job_id": 1,
    "timezone": "Europe/Berlin",
    "description": "Every 10 minutes",
    "instants": [
        {"at": "2026-01-15T10:30:00Z", "local": "2026-01-15T11:30:00+01:00", "note": None, "calendar": None},
        {"at": "2026-01-15T10:40:00Z", "local": "2026-01-15T11:40:00+01:00", "note": None, "calendar": None},
    ],
}


class NextQuery(Input):
    """The number of instants."""

    count: Annotated[
        int, Field(ge=1, le=1000, description="Largest number of instants, 1 to 1,000. Default 10."), Digits
    ] = 10


class Next(Answer):
    """The future instants of a job. A job that is paused, finished or run on demand has none."""

    model_config = ConfigDict(json_schema_extra={"examples": [NEXT]})

    job_id: Annotated[int, Field(description="Identifier of the job.")]
    timezone: Annotated[str, Field(description="Time zone of the schedule.")]
    description: Annotated[str, Field(description="The schedule in English.")]
    instants: Annotated[list[InstantOut], Field(description="Upcoming instants, earliest first.")]


@router.get(
    "/{job_id}/next",
    operation_id="listNextInstants",
    summary="List the next instants of a job",
    responses={200: answer("The instants to come.", NEXT), **refusals(NotFoundError)},
)
async def list_next(
    job_id: JobId, query: Annotated[NextQuery, Query()], service: CurrentService, caller: CurrentCaller
) -> Next:
    """In UTC and in the job's time zone. A job that is paused, finished or run on demand has none."""
    job, instants = await service.jobs.with_instants(caller, job_id, query.count)
    return Next(
        job_id=job.id,
        timezone=job.timezone,
        description=service.schedules.describe(job).sentence,
        instants=[InstantOut.of(instant) for instant in instants],
    )
