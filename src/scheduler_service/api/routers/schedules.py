"""The endpoints of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Depends
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.merge_patch import Described
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.preview_request import PreviewRequest
from scheduler_service.services.schedules import Upcoming

PREVIEW_REQUESTS: dict[str, Any] = {
    "night": {
        "summary": "Every night in Berlin, in an hour that the change to summer time takes away",
        "value": {"schedule_expr": "30 2 * * *", "timezone": "Europe/Berlin", "count": 2},
    },
    "interval": {"summary": "Every 90 minutes", "value": {"schedule_expr": "1h30m", "count": 3}},
}

PREVIEW: dict[str, Any] = {
    "schedule_expr": "*/10 * * * *",
    "timezone": "Europe/Berlin",
    "description": "Every 10 minutes",
    "warnings": [],
    "instants": [
        {"at": "2026-01-15T10:30:00Z", "local": "2026-01-15T11:30:00+01:00", "note": None},
        {"at": "2026-01-15T10:40:00Z", "local": "2026-01-15T11:40:00+01:00", "note": None},
    ],
}


class InstantOut(Answer):
    """A future instant in UTC and as wall-clock time of the schedule's zone."""

    model_config = ConfigDict(title="Instant")

    at: Annotated[datetime, Field(description="The instant, in UTC.")]
    local: Annotated[datetime, Field(description="The same instant in the schedule's time zone, with its offset.")]

    note: Annotated[
        str | None, Field(description="What the calendars of the job make of the instant. Null: its day is allowed.")
    ]

    @classmethod
    def of(cls, upcoming: Upcoming) -> Self:
        """Return an instant as the API shows it."""
        return cls(at=upcoming.at, local=upcoming.local, note=upcoming.note)


class PreviewOut(Answer):
    """The future instants of a schedule, with its description."""

    model_config = ConfigDict(title="Preview", json_schema_extra={"examples": [PREVIEW]})

    schedule_expr: Annotated[
        str | None, Field(description="The schedule as it was sent. Null: none, so there are no instants.")
    ]
    timezone: Annotated[str, Field(description="Time zone of the schedule.")]
    description: Annotated[str, Field(description="The schedule in English.")]
    warnings: Annotated[list[str], Field(description="What the owner of the schedule should know, in English.")]
    instants: Annotated[list[InstantOut], Field(description="Upcoming instants, earliest first.")]


router = APIRouter(
    prefix="/api/v1/schedules", tags=["schedules"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)


@router.post(
    "/preview",
    operation_id="previewSchedule",
    summary="Preview a schedule",
    responses={200: answer("Instants, a sentence, warnings.", PREVIEW), **refusals(takes_body=True)},
)
async def preview_schedule(
    wanted: Annotated[dict[str, Any], Described(PreviewRequest), Body(openapi_examples=PREVIEW_REQUESTS)],
    service: CurrentService,
    caller: CurrentCaller,
) -> PreviewOut:
    """From now on, computed by the functions that fire jobs. Nothing is stored."""
    preview = service.schedules.read(wanted)
    shown = await service.schedules.preview(caller, preview)
    return PreviewOut(
        schedule_expr=preview.schedule_expr,
        timezone=preview.timezone,
        description=shown.description.sentence,
        warnings=list(shown.description.warnings),
        instants=[InstantOut.of(instant) for instant in shown.instants],
    )
