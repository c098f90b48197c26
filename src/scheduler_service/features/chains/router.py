"""The route of chains."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from scheduler_service.errors import NotFoundError
from scheduler_service.features.chains import examples
from scheduler_service.features.chains.schemas import ChainLinkOut, ChainOut
from scheduler_service.features.chains.service import ChainService
from scheduler_service.features.dependencies import provide
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import RunId
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/runs/{run_id}/chain",
    tags=["chains"],
    route_class=KeyedRoute,
    dependencies=[Depends(current_caller)],
)

Service = Annotated[ChainService, Depends(provide(ChainService))]


@router.get(
    "",
    operation_id="getChain",
    summary="Show the chain of a run",
    responses={
        200: answer("The chain.", {"runs": [examples.FIRST, examples.LINK]}),
        **refusals(NotFoundError),
    },
)
async def get_chain(run_id: RunId, chains: Service, caller: CurrentCaller) -> ChainOut:
    """The runs that began after each other (`after` of their jobs), with the run before and those after this one."""
    return ChainOut(runs=[ChainLinkOut.of(link) for link in await chains.of_run(caller, run_id)])
