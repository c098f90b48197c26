"""Figures over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.query_parameters import StatsQuery
from scheduler_service.api.schemas.stats import StatsOut
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/stats", tags=["stats"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)


@router.get(
    "",
    operation_id="getStats",
    summary="Tell how it went lately",
    responses={200: answer("Figures of the window, and how things stand now.", examples.STATS), **refusals()},
)
async def get_stats(query: Annotated[StatsQuery, Query()], service: CurrentService, caller: CurrentCaller) -> StatsOut:
    """Rates, outcomes, durations and latenesses of the runs that ended within the window; queue and workers as now."""
    return StatsOut.of(await service.stats.read(caller, query.span()))
