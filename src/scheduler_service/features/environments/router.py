"""The routes of environments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from scheduler_service.errors import NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.environments import examples
from scheduler_service.features.environments.schemas import EnvironmentDetail, EnvironmentList, EnvironmentOut
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.payloads.text_pattern import TextPattern

router = APIRouter(
    prefix="/api/v1/environments", tags=["environments"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

Service = Annotated[EnvironmentService, Depends(provide(EnvironmentService))]
EnvironmentId = Annotated[
    Annotated[str, TextPattern(r"[0-9a-f]{32}", "32 hexadecimal digits")],
    Path(description="The `environment_id` of a job.", examples=[examples.ENVIRONMENT["id"]]),
]


@router.get(
    "",
    operation_id="listEnvironments",
    summary="List environments",
    responses={200: answer("The environments.", {"environments": [examples.ENVIRONMENT]}), **refusals()},
)
async def list_environments(environments: Service, caller: CurrentCaller) -> EnvironmentList:
    """List the packages that jobs were locked to, and whether workers have them."""
    listed = await environments.list_all(caller)
    return EnvironmentList(environments=[EnvironmentOut.of(each) for each in listed])


@router.get(
    "/{environment_id}",
    operation_id="getEnvironment",
    summary="Get an environment",
    responses={200: answer("The environment.", examples.DETAIL), **refusals(NotFoundError)},
)
async def get_environment(
    environment_id: EnvironmentId, environments: Service, caller: CurrentCaller
) -> EnvironmentDetail:
    """Get one environment with its lock and the log of its latest build."""
    return EnvironmentDetail.of(await environments.get(caller, environment_id))
