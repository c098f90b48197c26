"""The endpoints of statistics."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from scheduler_service.api.deps import CurrentService
from scheduler_service.api.schemas.stats import JOB_STATS, STATS, JobStatsOut, StatsOut, StatsQuery, WindowQuery
from scheduler_service.errors import NotFoundError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import JobId
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/stats", tags=["stats"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)
job_router = APIRouter(
    prefix="/api/v1/jobs", tags=["stats"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)


@router.get(
    "",
    operation_id="getStats",
    summary="Get statistics of a window",
    responses={200: answer("Figures of the window, and how things stand now.", STATS), **refusals()},
)
async def get_stats(query: Annotated[StatsQuery, Query()], service: CurrentService, caller: CurrentCaller) -> StatsOut:
    """Figures about the runs that ended within the window, and the current state of queue and workers."""
    return StatsOut.of(await service.stats.read(caller, query.span(), query.step_span()))


@job_router.get(
    "/{job_id}/stats",
    operation_id="getJobStats",
    summary="Get statistics of a job",
    responses={200: answer("Figures of the window.", JOB_STATS), **refusals(NotFoundError)},
)
async def get_job_stats(
    job_id: JobId, query: Annotated[WindowQuery, Query()], service: CurrentService, caller: CurrentCaller
) -> JobStatsOut:
    """Figures about the runs of a job that ended within the window."""
    return JobStatsOut.of(await service.stats.of_job(caller, job_id, query.span()))
