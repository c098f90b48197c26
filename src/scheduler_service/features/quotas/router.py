"""The routes of quotas."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, status

from scheduler_service.errors import NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.quotas import examples
from scheduler_service.features.quotas.definition import QuotaDefinition
from scheduler_service.features.quotas.schemas import QuotasList, QuotasOut
from scheduler_service.features.quotas.service import QuotaService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(prefix="/api/v1", tags=["quotas"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

QuotasOf = Annotated[QuotaService, Depends(provide(QuotaService))]
OwnerId = Annotated[str, Path(description="The owner.", min_length=1, max_length=128, examples=["math_team"])]
Definition = Annotated[
    QuotaDefinition, Body(openapi_examples={"team": {"summary": "A team", "value": examples.DEFINITION}})
]


@router.get(
    "/quotas",
    operation_id="getOwnQuotas",
    summary="Get the caller's quotas",
    responses={200: answer("The quotas.", examples.QUOTAS), **refusals()},
)
async def get_own_quotas(quotas: QuotasOf, caller: CurrentCaller) -> QuotasOut:
    """Return what the owner of the key may use, and what it uses."""
    return QuotasOut.of(await quotas.get(caller))


@router.get(
    "/owners",
    operation_id="listQuotas",
    summary="List owners with quotas",
    responses={200: answer("The quotas.", {"owners": [examples.QUOTAS]}), **refusals()},
)
async def list_quotas(quotas: QuotasOf, caller: CurrentCaller) -> QuotasList:
    """List the owners that were given quotas. Needs the scope `admin`."""
    return QuotasList(owners=[QuotasOut.of(use) for use in await quotas.list_given(caller)])


@router.get(
    "/owners/{owner_id:path}/quotas",
    operation_id="getQuotas",
    summary="Get the quotas of an owner",
    responses={200: answer("The quotas.", examples.QUOTAS), **refusals(NotFoundError)},
)
async def get_quotas(owner_id: OwnerId, quotas: QuotasOf, caller: CurrentCaller) -> QuotasOut:
    """Return what an owner may use, and what it uses. Quotas of another owner need the scope `admin`."""
    return QuotasOut.of(await quotas.get(caller, owner_id))


@router.put(
    "/owners/{owner_id:path}/quotas",
    operation_id="setQuotas",
    summary="Set the quotas of an owner",
    responses={200: answer("The quotas.", examples.QUOTAS), **refusals(takes_body=True)},
)
async def set_quotas(owner_id: OwnerId, definition: Definition, quotas: QuotasOf, caller: CurrentCaller) -> QuotasOut:
    """Replace the quotas of an owner. Jobs and runs that exceed them stay. Needs the scope `admin`."""
    return QuotasOut.of(await quotas.put(caller, owner_id, definition))


@router.delete(
    "/owners/{owner_id:path}/quotas",
    operation_id="unsetQuotas",
    summary="Remove the quotas of an owner",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**refusals(NotFoundError)},
)
async def unset_quotas(owner_id: OwnerId, quotas: QuotasOf, caller: CurrentCaller) -> None:
    """Remove the quotas of an owner, so that the defaults of the settings hold. Needs the scope `admin`."""
    await quotas.delete(caller, owner_id)
