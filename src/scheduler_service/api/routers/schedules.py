"""The endpoints of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body, Depends
from pydantic import ConfigDict, Field, WithJsonSchema

from scheduler_service.api.deps import CurrentService
from scheduler_service.domain.schedules.clock_effects import ClockEffect, ClockNote
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
        {"at": "2026-01-15T10:30:00Z", "local": "2026-01-15T11:30:00+01:00", "note": None, "calendar": None},
        {"at": "2026-01-15T10:40:00Z", "local": "2026-01-15T11:40:00+01:00", "note": None, "calendar": None},
    ],
    "clock_changes": [
        {
            "at": "2026-03-29T01:00:00Z",
            "kind": "gap",
            "local_from": "2026-03-29T02:00:00",
            "local_to": "2026-03-29T03:00:00",
            "times": 6,
        }
    ],
}


class InstantOut(Answer):
    """A future instant in UTC and as wall-clock time of the schedule's zone."""

    model_config = ConfigDict(title="Instant")

    at: Annotated[datetime, Field(description="The instant, in UTC.")]
    local: Annotated[datetime, Field(description="The same instant in the schedule's time zone, with its offset.")]

    note: Annotated[
        ClockNote | None,
        Field(
            description="What a clock change makes of it. `gap`: it runs in place of times that do not exist. "
            "`fold_first`, `fold_second`: its time of day happens twice. Null: it is an ordinary instant."
        ),
    ]
    calendar: Annotated[
        str | None, Field(description="What the calendars of the job make of the instant. Null: its day is allowed.")
    ]

    @classmethod
    def of(cls, upcoming: Upcoming) -> Self:
        """Return an instant as the API shows it."""
        return cls(at=upcoming.at, local=upcoming.local, note=upcoming.note, calendar=upcoming.calendar)


# Without an offset, which the format `date-time` demands (RFC 3339).
WallClockTime = Annotated[datetime, WithJsonSchema({"type": "string", "examples": ["2026-03-29T02:00:00"]})]


class ClockChangeOut(Answer):
    """A change of the clock in the schedule's zone."""

    model_config = ConfigDict(title="ClockChange")

    at: Annotated[datetime, Field(description="When the clock changes, in UTC.")]
    kind: Annotated[Literal["gap", "fold"], Field(description="`gap`: times do not exist. `fold`: times happen twice.")]
    local_from: Annotated[WallClockTime, Field(description="First of these times, on the clock of the zone.")]
    local_to: Annotated[WallClockTime, Field(description="End of these times, excluded, on the clock of the zone.")]
    times: Annotated[
        int, Field(description="How many of these times the schedule names. `warnings` says what it makes of them.")
    ]

    @classmethod
    def of(cls, effect: ClockEffect) -> Self:
        """Build the answer."""
        return cls(**{name: getattr(effect, name) for name in cls.model_fields})


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
    clock_changes: Annotated[
        list[ClockChangeOut], Field(description="Changes of the clock within the next two years, earliest first.")
    ]


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
    preview = await service.schedules.read(caller, wanted)
    shown = await service.schedules.preview(caller, preview)
    return PreviewOut(
        schedule_expr=preview.schedule_expr,
        timezone=preview.timezone,
        description=shown.description.sentence,
        warnings=list(shown.description.warnings),
        instants=[InstantOut.of(instant) for instant in shown.instants],
        clock_changes=[ClockChangeOut.of(effect) for effect in shown.clock_changes],
    )
