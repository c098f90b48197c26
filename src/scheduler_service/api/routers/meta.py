"""The endpoint of what clients need to offer choices: zones, payload kinds, limits, and what the caller may do."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.api.deps import CurrentService
from scheduler_service.bootstrap import environments_of
from scheduler_service.bootstrap.derived_settings import resource_limits_of
from scheduler_service.domain.caller import Scope
from scheduler_service.domain.schedules.zone import zone_names
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute, json_response
from scheduler_service.payloads.registry import kinds

META: dict[str, Any] = {
    "version": "0.1.0",
    "mode": "embedded",
    "owner_id": "math_team",
    "key_id": "4f1f2c9b7a10",
    "scopes": ["read", "run", "write"],
    "timezones": ["Europe/Berlin", "UTC"],
    "environments": ["default"],
    "payload_types": [{"type": "shell_script", "title": "Shell script", "schema": {"type": "object"}}],
    "maxima": {"memory_mb": 4096, "timeout_seconds": None, "network": True},
}

router = APIRouter(prefix="/api/v1/meta", tags=["meta"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])


class PayloadKind(Answer):
    """A kind of payload."""

    model_config = ConfigDict(title="PayloadKind")

    type: Annotated[str, Field(description="Its `type` in a payload.")]
    title: Annotated[str, Field(description="Its name in English.")]
    json_schema: Annotated[dict[str, JsonValue], Field(alias="schema", description="Its JSON Schema (2020-12).")]


class MetaOut(Answer):
    """What a client needs to know about this service and its own key."""

    model_config = ConfigDict(title="Meta", json_schema_extra={"examples": [META]})

    version: Annotated[str, Field(description="Version of the service.")]
    mode: Annotated[str, Field(description="`embedded`: one process; `distributed`: with Celery and Redis.")]
    owner_id: Annotated[str | None, Field(description="Owner of the key. Null: it belongs to no owner.")]
    key_id: Annotated[str | None, Field(description="Id of the key; `API_KEY` is the key of the setting.")]
    scopes: Annotated[list[Scope], Field(description="What the key may do.")]
    timezones: Annotated[list[str], Field(description="Names that `timezone` accepts.")]
    environments: Annotated[
        list[str],
        Field(description="Python environments of this process. In the distributed mode, workers may differ."),
    ]
    payload_types: Annotated[list[PayloadKind], Field(description="The kinds of payload.")]
    maxima: Annotated[
        dict[str, float | bool | None],
        Field(description="Upper limits of the fields with these names, such as `memory_mb`. Null: no limit."),
    ]


@router.get(
    "",
    operation_id="getMeta",
    summary="Get what the service offers to the caller",
    response_model=MetaOut,
    responses={200: answer("What the service offers.", META), **refusals()},
)
async def get_meta(request: Request, service: CurrentService, caller: CurrentCaller) -> Response:
    """For forms and tools: time zones, payload kinds with their JSON Schemas, upper limits, and the caller's rights."""
    settings = service.settings
    return json_response(
        {
            "version": request.app.version,
            "mode": "distributed" if settings.is_distributed else "embedded",
            "owner_id": caller.owner_id,
            "key_id": caller.key_id,
            "scopes": sorted(caller.scopes),
            "timezones": sorted(zone_names()),
            "environments": [environment.name for environment in environments_of(settings)],
            "payload_types": _payload_types(),
            "maxima": asdict(resource_limits_of(settings)),
        }
    )


@cache
def _payload_types() -> list[dict[str, Any]]:
    schemas = {name: kind.model_json_schema() for name, kind in kinds().items()}
    return [{"type": name, "title": schema.get("title", name), "schema": schema} for name, schema in schemas.items()]
