"""The endpoint that tries out a definition without storing it."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response, status

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import Definition
from scheduler_service.api.routers.runs import show_run
from scheduler_service.api.schemas.runs import RunOut
from scheduler_service.errors import ConflictError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import RUN_LOCATION, answer, refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/test-runs", tags=["runs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)


@router.post(
    "",
    operation_id="testJob",
    summary="Run a definition once without storing it",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        202: answer("The run, queued.", {**examples.QUEUED_RUN, "trigger": "test"}, RUN_LOCATION),
        **refusals(ConflictError, takes_body=True),
    },
)
async def test_job(
    definition: Definition, service: CurrentService, caller: CurrentCaller, response: Response
) -> RunOut:
    """The body is a job's definition, checked as `POST /jobs` does; the key needs the scopes `write` and `run`.

    One attempt of at most 60 seconds, without retries and beside all other runs. `GET /runs/{id}` and its log show it
    for an hour after its end. It is in no list (unless `trigger=test` asks for it), statistics, metrics, events or
    alerts. Each owner has up to `SCHEDULER_QUOTA_TEST_RUNS` at once.
    """
    return await show_run(await service.jobs.test(caller, definition), service, response)
