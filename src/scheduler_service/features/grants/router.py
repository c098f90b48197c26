"""The routes of grants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from scheduler_service.errors import NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.grants import examples
from scheduler_service.features.grants.schemas import GrantList, GrantOut
from scheduler_service.features.grants.service import GrantService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/grants", tags=["grants"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

Service = Annotated[GrantService, Depends(provide(GrantService))]
Name = Annotated[str, Path(description="The `name` of the grant.", max_length=64, examples=["backup"])]


@router.get(
    "",
    operation_id="listGrants",
    summary="List grants",
    responses={200: answer("The grants.", {"grants": [examples.GRANT]}), **refusals()},
)
async def list_grants(grants: Service, caller: CurrentCaller) -> GrantList:
    """List what the operator opens to the caller's jobs, and which live workers hold it."""
    return GrantList(grants=[GrantOut.of(grant) for grant in await grants.offered(caller)])


@router.get(
    "/{name}",
    operation_id="getGrant",
    summary="Get a grant",
    responses={200: answer("The grant.", examples.GRANT), **refusals(NotFoundError)},
)
async def get_grant(name: Name, grants: Service, caller: CurrentCaller) -> GrantOut:
    """Get one grant by its name."""
    return GrantOut.of(await grants.get(caller, name))
