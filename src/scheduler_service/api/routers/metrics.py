"""The endpoint of the Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from prometheus_client import Metric, exposition
from prometheus_client.registry import Collector

from scheduler_service.api.deps import CurrentService
from scheduler_service.config.settings import Settings
from scheduler_service.http import error_responses
from scheduler_service.http.auth import HEADER, same_key
from scheduler_service.http.openapi_responses import refusals
from scheduler_service.http.route import PublicRoute

router = APIRouter(tags=["health"], route_class=PublicRoute)

EXAMPLE = """# HELP scheduler_queue_length Runs that wait, by status.
# TYPE scheduler_queue_length gauge
scheduler_queue_length{status="queued"} 3.0
scheduler_queue_length{status="retrying"} 0.0
"""


@dataclass(frozen=True, slots=True)
class _Collected(Collector):
    """Collected metrics as a registry for the text writer."""

    families: tuple[Metric, ...]

    def collect(self) -> Iterable[Metric]:
        return self.families


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Get metrics",
    response_class=Response,
    responses={
        200: {
            "description": "The text format of Prometheus.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}},
        },
        **{status: refusal for status, refusal in refusals().items() if status in {401, 503}},
    },
)
async def get_metrics(service: CurrentService, request: Request) -> Response:
    """For Prometheus. Request metrics are those of this process; all others are the same from every process.

    If SCHEDULER_METRICS_KEY is set, send it as a bearer token or as `X-API-Key`.
    """
    _admit(request)
    families = (*await service.metrics.read(), *request.app.state.request_histogram.collect())
    return Response(exposition.generate_latest(_Collected(families)), media_type=exposition.CONTENT_TYPE_PLAIN_0_0_4)


def _admit(request: Request) -> None:
    settings: Settings = request.app.state.settings
    if settings.metrics_key is None:
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else request.headers.get(HEADER, "")
    if not same_key(given, settings.metrics_key.get_secret_value()):
        raise error_responses.unauthorized(
            "send the value of SCHEDULER_METRICS_KEY in the header Authorization: Bearer <key>"
        )
