"""Builds the application from routers and middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, ClassVar

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp

from scheduler_service import bootstrap
from scheduler_service.api import documentation
from scheduler_service.api.kept_parts import KeptParts
from scheduler_service.api.routers import (
    backfill,
    bulk,
    draft_runs,
    events,
    explain,
    health,
    job_actions,
    job_instants,
    job_outcomes,
    job_versions,
    jobs,
    meta,
    metrics,
    run_logs,
    runs,
    schedules,
    simulation,
    stats,
    validation,
)
from scheduler_service.api.shutdown import announced
from scheduler_service.bootstrap import Service
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.settings import Settings
from scheduler_service.config.unknown import unknown_settings
from scheduler_service.features.apply.router import APPLY
from scheduler_service.features.audit.service import AuditService
from scheduler_service.features.keys.service import KeyService
from scheduler_service.features.registry import FEATURES
from scheduler_service.http import error_responses
from scheduler_service.http.http_metrics import request_histogram
from scheduler_service.http.http_rules import BoundedAnswer, HttpRules
from scheduler_service.http.middleware import BodyLimit, BodySize, PlainStart, RequestContext
from scheduler_service.http.problems import Problem
from scheduler_service.http.request_counters import Counters
from scheduler_service.http.request_gate import RequestGate
from scheduler_service.http.synonyms import add_synonyms
from scheduler_service.version import version

ServiceFactory = Callable[[Settings], AbstractAsyncContextManager[Service]]

DESCRIPTION = """
Jobs that run on schedule, in a sandbox, with a ledger of every instant.

Every call below `/api/v1` needs a key in the header `X-API-Key`. Errors are problem documents (RFC 9457) whose `errors`
point at each wrong field. Instants are in UTC. Lists come in pages, with a `Link` header.
"""
TAGS = [
    {"name": "jobs", "description": "Code, a schedule, and how runs are executed."},
    {"name": "runs", "description": "One row for each instant: a run with its log, or the reason why there was none."},
    {"name": "schedules", "description": "Previews of schedules."},
    *({"name": feature.name, "description": feature.description} for feature in FEATURES),
    {"name": "events", "description": "Changes of jobs and runs, as a stream."},
    {"name": "stats", "description": "Statistics of a window."},
    {"name": "meta", "description": "What the service offers to the caller."},
    {"name": "health", "description": "Health of the service; no API key needed."},
]

ROUTERS = (
    # First, because probes and lists are asked for all the time, and routes are tried in this order.
    health.router,
    jobs.collection_router,
    runs.collection_router,
    bulk.router,
    backfill.router,
    # First, because their fixed paths, such as /jobs/recent and /jobs/export, match those of jobs with an id as well.
    job_outcomes.router,
    *(router for feature in FEATURES for router in feature.routers()),
    jobs.router,
    job_actions.router,
    job_instants.router,
    job_versions.router,
    validation.router,
    explain.router,
    runs.router,
    run_logs.router,
    draft_runs.router,
    schedules.router,
    simulation.router,
    events.router,
    stats.router,
    stats.job_router,
    meta.router,
    metrics.router,
)

for _feature in FEATURES:
    for _synonyms in _feature.synonyms():
        add_synonyms(_synonyms)

_api = APIRouter()
for _router in ROUTERS:
    _api.include_router(_router)
_api.include_router(health.router, prefix="/api/v1", include_in_schema=False)
# Routes are resolved lazily. Resolve them now, so that the first client does not wait.
list(iter_route_contexts(_api.routes))

log = structlog.get_logger(__name__)


def create_app(settings: Settings, service_factory: ServiceFactory = bootstrap.open_service) -> FastAPI:
    """Build the application. Its lifespan opens and closes the service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service_factory(settings) as service, aclosing(_counters(settings)) as counters:
            app.state.service = service
            app.state.keys = service.feature(KeyService)
            app.state.refusals = service.feature(AuditService)
            app.state.gate = RequestGate(settings, counters)
            # Only after the start: if it fails, the reason should be the only output.
            _warn(settings)
            with announced(service.stopping):
                yield

    app = Application(
        title="Scheduler Service",
        version=version(),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Redirects would be sent before authentication, to a host that the client chooses.
        redirect_slashes=False,
        separate_input_output_schemas=False,
        # FastAPI's log records of refused requests would contain request data.
        telemetry={"logs": False, "metrics": False, "auto_configure": False},
    )
    app.state.settings = settings
    app.state.request_histogram = request_histogram()
    app.state.job_parts, app.state.run_parts = KeptParts(), KeptParts()
    app.add_middleware(
        BodyLimit,
        limit=BodySize(settings.max_body_kb * 1024, "SCHEDULER_MAX_BODY_KB"),
        limits_by_path={APPLY: BodySize(settings.max_apply_kb * 1024, "SCHEDULER_MAX_APPLY_KB")},
    )
    error_responses.install(app)
    # Without include_router, which would resolve the routes again.
    app.router.routes.extend(_api.routes)
    app.state.fixed_paths = {path: methods for path, methods in _methods_by_path().items() if "{" not in path}
    documentation.install(app)
    return app


def _methods_by_path() -> dict[str, frozenset[str]]:
    methods: dict[str, frozenset[str]] = {}
    for context in iter_route_contexts(_api.routes):
        methods[context.path or ""] = methods.get(context.path or "", frozenset()) | frozenset(context.methods or ())
    return methods


def _counters(settings: Settings) -> Counters:
    return Counters(settings.redis_url.get_secret_value() if settings.redis_url else None)


def _warn(settings: Settings) -> None:
    # On a terminal, the banner says the same.
    if settings.api_key.get_secret_value() == DEVELOPMENT_API_KEY and settings.log_format != "console":
        log.warning("development_key_accepted", effect="serves this machine alone", remedy="set an API_KEY of your own")
    if unknown := unknown_settings():
        log.warning("settings_ignored", ignored=unknown)


class Application(FastAPI):
    """FastAPI with this service's middleware outside its own."""

    _description: ClassVar[dict[str, Any]] = {}

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap FastAPI's error handling too, so that its responses are logged and get their headers."""
        return RequestContext(BoundedAnswer(HttpRules(PlainStart(super().build_middleware_stack()))))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, including the problem documents of errors. It is computed once per process."""
        if not Application._description:
            document = super().openapi()
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
            Application._description = document
        return Application._description
