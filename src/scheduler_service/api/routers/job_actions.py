"""The endpoints for actions on a job."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response, status

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS, show_job
from scheduler_service.api.routers.runs import show_run
from scheduler_service.api.schemas.jobs import JobOut
from scheduler_service.api.schemas.runs import RunOut
from scheduler_service.errors import ConflictError, NotFoundError, PreconditionFailedError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.etags import IfMatch, versions_to_match
from scheduler_service.http.merge_patch import Described
from scheduler_service.http.openapi_responses import ETAG, RUN_LOCATION, answer, refusals
from scheduler_service.http.parameters import IdempotencyKey, JobId
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.pause_request import PauseRequest, read_pause_request
from scheduler_service.services.run_request import RunRequest, read_run_request

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

RunChanges = Annotated[dict[str, Any] | None, Described(RunRequest), Body(openapi_examples=examples.RUN_REQUESTS)]

PAUSE: dict[str, Any] = {"reason": "maintenance of the warehouse", "until": "2027-01-01T00:00:00Z"}
_CONFLICTS = refusals(NotFoundError, ConflictError, PreconditionFailedError)

PauseBody = Annotated[
    dict[str, Any] | None,
    Described(PauseRequest),
    Body(openapi_examples={"maintenance": {"summary": "Until the maintenance is over", "value": PAUSE}}),
]


@router.post(
    "/{job_id}/pause",
    operation_id="pauseJob",
    summary="Pause a job",
    response_model=JobOut,
    responses={
        200: answer("The job as it is now.", examples.JOB, ETAG),
        **refusals(NotFoundError, ConflictError, PreconditionFailedError, takes_body=True),
    },
)
async def pause_job(
    job_id: JobId,
    service: CurrentService,
    caller: CurrentCaller,
    if_match: IfMatch = None,
    request: PauseBody = None,
) -> Response:
    """The schedule does not fire while the job is paused. It resumes at `until`, if that is given.

    Queued and running runs continue. A second pause has no effect.

    A finished job has no future instant and cannot be paused.
    """
    read = None if request is None else read_pause_request(request)
    job = await service.jobs.pause(caller, job_id, versions_to_match(if_match), read)
    return await show_job(job, service)


@router.post(
    "/{job_id}/resume",
    operation_id="resumeJob",
    summary="Resume a paused job",
    response_model=JobOut,
    responses={200: answer("The job as it is now.", examples.JOB, ETAG), **_CONFLICTS},
)
async def resume_job(
    job_id: JobId, service: CurrentService, caller: CurrentCaller, if_match: IfMatch = None
) -> Response:
    """The schedule fires again from now on. A job whose schedule has no future instant cannot be resumed."""
    return await show_job(await service.jobs.resume(caller, job_id, versions_to_match(if_match)), service)


@router.post(
    "/{job_id}/relock",
    operation_id="relockJob",
    summary="Lock the packages of a job again",
    response_model=JobOut,
    responses={200: answer("The job as it is now.", examples.JOB, ETAG), **_CONFLICTS},
)
async def relock_job(
    job_id: JobId, service: CurrentService, caller: CurrentCaller, if_match: IfMatch = None
) -> Response:
    """Take the newest packages that its requirements allow. Until then, every run has the same ones.

    A job without requirements cannot be locked. If its environment has failed, it is built again.
    """
    return await show_job(await service.jobs.relock(caller, job_id, versions_to_match(if_match)), service)


@router.post(
    "/{job_id}/run",
    operation_id="runJob",
    summary="Run a job now",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        202: answer("The run, queued.", examples.QUEUED_RUN, RUN_LOCATION),
        **refusals(NotFoundError, ConflictError, takes_body=True),
    },
)
async def run_job(
    job_id: JobId,
    service: CurrentService,
    caller: CurrentCaller,
    response: Response,
    changes: RunChanges = None,
    idempotency_key: IdempotencyKey = None,
) -> RunOut:
    """Queue a run independently of the schedule. The job may be paused or finished.

    If the job is busy, its `overlap_policy` applies: `skip` refuses the run, `cancel_running` cancels the others,
    `queue` and `allow` queue it.

    If the request is repeated with the same `Idempotency-Key`, it returns the first run and queues nothing.
    """
    request = read_run_request(changes or {})
    run = await service.jobs.run(caller, job_id, request, idempotency_key=idempotency_key)
    return await show_run(run, service, response)
