"""The endpoints of jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response, status
from pydantic_core import from_json, to_json

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.job_documents import JobListDocument
from scheduler_service.api.routers.runs import show_runs
from scheduler_service.api.schemas.jobs import JobOut, JobPage
from scheduler_service.api.schemas.queries import JobQuery, RunQuery
from scheduler_service.api.schemas.runs import RunPage
from scheduler_service.bootstrap import Service
from scheduler_service.domain.records import Job
from scheduler_service.errors import ConflictError, NotFoundError, PreconditionFailedError
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.features.grants.service import GrantService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.cursors import write_cursor
from scheduler_service.http.etags import IfMatch, IfNoneMatch, etag, is_unchanged, versions_to_match
from scheduler_service.http.merge_patch import MEDIA_TYPE, Described, patch_body
from scheduler_service.http.openapi_responses import ETAG, JOB_LOCATION, LINK, answer, refusals
from scheduler_service.http.pagination_links import page_links
from scheduler_service.http.parameters import IdempotencyKey, JobId
from scheduler_service.http.quick_route import QuickRoute
from scheduler_service.http.route import JSON, KeyedRoute
from scheduler_service.services.job_acceptance import Shown
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_warnings import normalisation_warnings

JOBS = "/api/v1/jobs"

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])
collection_router = APIRouter(
    prefix=JOBS, tags=["jobs"], route_class=QuickRoute, dependencies=[Depends(current_caller)]
)
"""The requests of `/jobs` itself. Their path matches no other route, so they can be tried before all others."""

Definition = Annotated[dict[str, Any], Described(JobDefinition), Body(openapi_examples=examples.DEFINITIONS)]
Changes = Annotated[dict[str, Any], Body(media_type=MEDIA_TYPE, openapi_examples=examples.PATCHES)]


@collection_router.post(
    "",
    operation_id="createJob",
    summary="Create a job",
    status_code=status.HTTP_201_CREATED,
    response_model=JobOut,
    responses={
        201: answer("The job, stored.", examples.JOB, {**JOB_LOCATION, **ETAG}),
        **refusals(ConflictError, takes_body=True),
    },
)
async def create_job(
    definition: Definition,
    service: CurrentService,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Only `name`, `schedule_expr` and `payload` are required. `warnings` lists unexpected properties of the schedule.

    If the request is repeated with the same `Idempotency-Key`, it returns the first job and creates nothing.
    """
    job = await service.jobs.create_from(caller, definition, idempotency_key=idempotency_key)
    shown = await show_job(job, service, definition)
    shown.status_code = status.HTTP_201_CREATED
    shown.headers["Location"] = f"{JOBS}/{job.id}"
    return shown


@collection_router.get(
    "",
    operation_id="listJobs",
    summary="List jobs",
    response_model=JobPage,
    responses={200: answer("One page of the list.", examples.JOB_PAGE, LINK), **refusals()},
)
async def list_jobs(
    query: Annotated[JobQuery, Query()],
    service: CurrentService,
    caller: CurrentCaller,
    request: Request,
) -> Response:
    """A job must match all filters."""
    page = query.paging(query.sort)
    document = JobListDocument(request.app.state.job_parts, datetime.now(UTC).date())
    listing, new = await service.listing.page(caller, query.filters(), page, document.knows)
    document.add(new, service.schedules)
    following = None if listing.next is None else write_cursor(listing.next, query.sort)
    states = await service.feature(EnvironmentService).states(job.environment_id for job in listing.items)
    jobs = document.show(listing.items, states)
    about = to_json({"total": listing.total, "page": page.number, "size": page.size})
    answered = Response(b'{"jobs":' + jobs + b"," + about[1:] + b"\n", media_type=JSON)
    answered.headers["Link"] = page_links(request, page, listing.total, following)
    return answered


@router.get(
    "/{job_id}",
    operation_id="getJob",
    summary="Get a job",
    response_model=JobOut,
    responses={
        200: answer("The job.", examples.JOB, ETAG),
        304: {"description": "The job is as the client has it."},
        **refusals(NotFoundError),
    },
)
async def get_job(
    job_id: JobId, service: CurrentService, caller: CurrentCaller, if_none_match: IfNoneMatch = None
) -> Response:
    """With `If-None-Match`, the answer is 304 if nothing has changed, including the state of its runs."""
    shown = await show_job(await service.jobs.get(caller, job_id), service)
    if is_unchanged(if_none_match, shown.headers["ETag"]):
        kept = {name: shown.headers[name] for name in ("ETag", "Cache-Control")}
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=kept)
    return shown


@router.patch(
    "/{job_id}",
    operation_id="patchJob",
    summary="Change some fields of a job",
    response_model=JobOut,
    openapi_extra=patch_body(JobDefinition, "Job changes", examples.PATCHES),
    responses={
        200: answer("The job as it is now.", examples.JOB, ETAG),
        **refusals(NotFoundError, ConflictError, PreconditionFailedError, takes_body=True),
    },
)
async def patch_job(
    job_id: JobId,
    changes: Changes,
    service: CurrentService,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response:
    """A JSON merge patch (RFC 7396): missing fields stay, objects are merged, null restores the default.

    A `payload` with another `type` or `operation` replaces the old one. Read-only fields may be sent back unchanged.
    """
    job = await service.jobs.patch(caller, job_id, changes, versions_to_match(if_match), shown_by(service))
    return await show_job(job, service, changes)


@router.put(
    "/{job_id}",
    operation_id="replaceJob",
    summary="Replace the definition of a job",
    response_model=JobOut,
    responses={
        200: answer("The job as it is now.", examples.JOB, ETAG),
        **refusals(NotFoundError, ConflictError, PreconditionFailedError, takes_body=True),
    },
)
async def replace_job(
    job_id: JobId,
    definition: Definition,
    service: CurrentService,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response:
    """Missing fields get their defaults. `id` and history stay.

    A job can be sent back as it was read: unchanged read-only fields are accepted.
    """
    job = await service.jobs.replace(caller, job_id, definition, versions_to_match(if_match), shown_by(service))
    return await show_job(job, service, definition)


@router.delete(
    "/{job_id}",
    operation_id="deleteJob",
    summary="Delete a job",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={204: {"description": "The job is gone."}, **refusals(NotFoundError, PreconditionFailedError)},
)
async def delete_job(job_id: JobId, service: CurrentService, caller: CurrentCaller, if_match: IfMatch = None) -> None:
    """Queued runs are cancelled and running ones are asked to stop. The history stays until its retention time."""
    await service.jobs.delete(caller, job_id, versions_to_match(if_match))


@router.get(
    "/{job_id}/runs",
    operation_id="listJobRuns",
    summary="List the runs of a job",
    response_model=RunPage,
    responses={200: answer("One page of the list.", examples.RUN_PAGE, LINK), **refusals(NotFoundError)},
)
async def list_job_runs(
    job_id: JobId,
    query: Annotated[RunQuery, Query()],
    service: CurrentService,
    caller: CurrentCaller,
    request: Request,
) -> Response:
    """Newest first, with the end of each log (16 KiB) unless `logs=none`.

    Works for deleted jobs as long as their history is retained.
    """
    page = query.paging()
    await service.run_listing.check_job(caller, job_id)
    return await show_runs(query, replace(query.filters(), job_id=job_id), page, service, caller, request)


def shown_by(service: Service) -> Shown:
    """Return the function that shows a job as `GET /jobs/{id}` does."""
    return lambda job: from_json(to_json(JobOut.document(job, service.schedules.describe(job))))


async def show_job(job: Job, service: Service, sent: dict[str, Any] | None = None) -> Response:
    """Return a job with its entity tag. `sent` is the client's document, whose changed texts produce warnings."""
    of_grants = await service.feature(GrantService).warnings(job.grants)
    states = await service.feature(EnvironmentService).states([job.environment_id])
    described = service.schedules.describe(job)
    document = JobOut.document(job, described, of_grants, states.get(job.environment_id or ""))
    body = to_json(document)
    # A client may cache it, but must revalidate it.
    headers = {"ETag": etag(job.version, body), "Cache-Control": "private, no-cache"}
    if of_sent := tuple(normalisation_warnings(sent or {}, job)):
        body = to_json({**document, "warnings": (*described.warnings, *of_sent, *of_grants)})
    return Response(body + b"\n", headers=headers, media_type=JSON)
