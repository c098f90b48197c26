"""The endpoints of job versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS, show_job
from scheduler_service.api.schemas.jobs import JobOut
from scheduler_service.api.schemas.versions import (
    VERSION_PAGE,
    VERSION_WHOLE,
    JobVersionOut,
    JobVersionPage,
    JobVersionWhole,
)
from scheduler_service.errors import ConflictError, NotFoundError, PreconditionFailedError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.etags import IfMatch, versions_to_match
from scheduler_service.http.openapi_responses import ETAG, answer, refusals
from scheduler_service.http.parameters import Digits, Id, JobId
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.input_models import Input
from scheduler_service.services.job_versions import PAGE_SIZE

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

_LARGEST_VERSION = 2**31 - 1
Number = Annotated[
    int,
    Path(ge=1, le=_LARGEST_VERSION, description="The number of the version.", examples=[1]),
    Digits,
]


class VersionQuery(Input):
    """Which versions are wanted."""

    before: Annotated[Id | None, Field(description="Only older versions than this one.")] = None
    size: Annotated[
        int, Field(ge=1, le=100, description=f"Versions on a page, 1 to 100. Default {PAGE_SIZE}."), Digits
    ] = PAGE_SIZE


@router.get(
    "/{job_id}/versions",
    operation_id="listJobVersions",
    summary="List the versions of a job",
    responses={200: answer("One page of the list.", VERSION_PAGE), **refusals(NotFoundError)},
)
async def list_job_versions(
    job_id: JobId, query: Annotated[VersionQuery, Query()], service: CurrentService, caller: CurrentCaller
) -> JobVersionPage:
    """Who changed which fields, and when. Newest first.

    A version is kept for `SCHEDULER_RETENTION_DAYS` after it was replaced, up to 1,000 for each job.
    """
    found, following = await service.versions.newest(caller, job_id, query.before, query.size)
    return JobVersionPage(versions=[JobVersionOut.of(version) for version in found], next=following)


@router.get(
    "/{job_id}/versions/{number}",
    operation_id="getJobVersion",
    summary="Get a version of a job",
    responses={200: answer("The version.", VERSION_WHOLE), **refusals(NotFoundError)},
)
async def get_job_version(
    job_id: JobId, number: Number, service: CurrentService, caller: CurrentCaller
) -> JobVersionWhole:
    """With the definition, and the changes since the version before."""
    return JobVersionWhole.of_view(await service.versions.get(caller, job_id, number))


@router.post(
    "/{job_id}/versions/{number}/restore",
    operation_id="restoreJobVersion",
    summary="Restore a version of a job",
    response_model=JobOut,
    responses={
        200: answer("The job as it is now.", examples.JOB, ETAG),
        **refusals(NotFoundError, ConflictError, PreconditionFailedError),
    },
)
async def restore_job_version(
    job_id: JobId,
    number: Number,
    service: CurrentService,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response:
    """Restore the definition of an earlier version, as a new version.

    A paused job stays paused, and an active one active. The definition is checked again: what is not allowed any more
    is refused. If its packages differ from the present ones, they are locked again.
    """
    job = await service.jobs.restore(caller, job_id, number, versions_to_match(if_match))
    return await show_job(job, service)
