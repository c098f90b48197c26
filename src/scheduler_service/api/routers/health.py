"""Health over HTTP: for people, for probes, and without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.schemas.health import Alive, HealthOut
from scheduler_service.http.openapi_responses import Documented, answer
from scheduler_service.http.route import PublicRoute

router = APIRouter(prefix="/health", tags=["health"], route_class=PublicRoute)

_REPORTS: Documented = {
    200: answer("Everything works.", examples.HEALTH),
    503: {**answer("Something does not work; `components` says what.", examples.ILL_HEALTH), "model": HealthOut},
}


@router.get("", operation_id="getHealth", summary="Tell how the service is", responses=_REPORTS)
async def get_health(service: CurrentService, request: Request, response: Response) -> HealthOut:
    """Every component that the service needs, looked at now."""
    health = await service.health.check()
    if not health.is_ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return HealthOut.of(health, request.app.version)


@router.get("/ready", operation_id="getReadiness", summary="Tell whether requests are served", responses=_REPORTS)
async def get_readiness(service: CurrentService, request: Request, response: Response) -> HealthOut:
    """For load balancers and readiness probes: 200 or 503."""
    return await get_health(service, request, response)


@router.get(
    "/live",
    operation_id="getLiveness",
    summary="Tell whether the process answers",
    responses={200: answer("It does.", {"status": "ok"})},
)
async def get_liveness() -> Alive:
    """For liveness probes: looks at nothing, so that a database that is down does not get the process killed."""
    return Alive()
