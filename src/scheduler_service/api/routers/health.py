"""The health endpoints, which need no key."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Request, Response, status
from pydantic import ConfigDict, Field

from scheduler_service.bootstrap import Service
from scheduler_service.http.answers import Answer
from scheduler_service.http.openapi_responses import Documented, answer
from scheduler_service.http.route import JSON, ProbeRoute, json_response
from scheduler_service.services.health import Component, Health, HealthStatus

HEALTH: dict[str, Any] = {
    "status": "ok",
    "version": "0.1.0",
    "components": {
        "database": {"status": "ok", "detail": "answers", "latency_ms": 0.4},
        "migrations": {"status": "ok", "detail": "the tables are up to date", "latency_ms": None},
        "dispatcher": {"status": "ok", "detail": "ticks", "latency_ms": None},
        "workers": {"status": "ok", "detail": "1 ready, 4 slots", "latency_ms": None},
    },
}

ILL_HEALTH: dict[str, Any] = {
    "status": "failing",
    "version": "0.1.0",
    "components": {"database": {"status": "failing", "detail": "the database does not answer", "latency_ms": None}},
}


class ComponentOut(Answer):
    """A component that the service needs."""

    model_config = ConfigDict(title="Component")

    status: Annotated[HealthStatus, Field(description="`ok`, `degraded` (slower, but work goes on) or `failing`.")]
    detail: Annotated[str, Field(description="State of the component in words.")]
    latency_ms: Annotated[
        float | None, Field(description="Time that its answer took, in milliseconds. Null: not measured.")
    ]

    @classmethod
    def of(cls, component: Component) -> Self:
        """Return a component as the API shows it."""
        latency = component.latency_seconds
        return cls(
            status=component.status,
            detail=component.detail,
            latency_ms=None if latency is None else round(latency * 1e3, 3),
        )


class HealthOut(Answer):
    """The health of the service."""

    model_config = ConfigDict(title="Health", json_schema_extra={"examples": [HEALTH]})

    status: Annotated[
        HealthStatus, Field(description="Worst status of all components. `degraded`: slower, but work goes on.")
    ]
    version: Annotated[str, Field(description="Version of the service.")]
    components: Annotated[
        dict[str, ComponentOut],
        Field(description="Components by name, such as `database`, `dispatcher` and `workers`."),
    ]

    @classmethod
    def of(cls, health: Health, version: str) -> Self:
        """Return the health as the API shows it."""
        return cls(
            status=health.status,
            version=version,
            components={component.name: ComponentOut.of(component) for component in health.components},
        )


class Alive(Answer):
    """The process responds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Annotated[Literal["ok"], Field(description="Always `ok`: the process answers.")] = "ok"


_ALIVE = Alive().model_dump_json().encode() + b"\n"

router = APIRouter(prefix="/health", tags=["health"], route_class=ProbeRoute)

_REPORTS: Documented = {
    200: answer("Everything works.", HEALTH),
    503: {**answer("Something does not work; `components` says what.", ILL_HEALTH), "model": HealthOut},
}


@router.get(
    "", operation_id="getHealth", summary="Get the health of the service", response_model=HealthOut, responses=_REPORTS
)
async def get_health(request: Request) -> Response:
    """The state of every component that the service needs, checked within the last quarter of a second."""
    service: Service = request.app.state.service
    health = await service.health.recent()
    code = status.HTTP_200_OK if health.is_ready else status.HTTP_503_SERVICE_UNAVAILABLE
    return json_response(HealthOut.of(health, request.app.version), code)


@router.get(
    "/ready", operation_id="getReadiness", summary="Check readiness", response_model=HealthOut, responses=_REPORTS
)
async def get_readiness(request: Request) -> Response:
    """For load balancers and readiness probes: 200 or 503."""
    return await get_health(request)


@router.get(
    "/live",
    operation_id="getLiveness",
    summary="Check liveness",
    response_model=Alive,
    responses={200: answer("It does.", {"status": "ok"})},
)
async def get_liveness(_request: Request) -> Response:
    """For liveness probes. Checks nothing, so that an unavailable database does not cause a restart of the process."""
    return Response(_ALIVE, media_type=JSON)
