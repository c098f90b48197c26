"""Schedules over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.schemas.schedules import InstantOut, PreviewOut
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.merge_patch import Described
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.job_definition import PreviewRequest

router = APIRouter(
    prefix="/api/v1/schedules", tags=["schedules"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)


@router.post(
    "/preview",
    operation_id="previewSchedule",
    summary="Tell what a schedule would do",
    responses={200: answer("Instants, a sentence, warnings.", examples.PREVIEW), **refusals(takes_body=True)},
)
async def preview_schedule(
    wanted: Annotated[dict[str, Any], Described(PreviewRequest), Body(openapi_examples=examples.PREVIEW_REQUESTS)],
    service: CurrentService,
    caller: CurrentCaller,
) -> PreviewOut:
    """From now on, by the very functions that fire jobs. Nothing is stored."""
    preview = service.schedules.read(wanted)
    shown = await service.schedules.preview(caller, preview)
    return PreviewOut(
        schedule_expr=preview.schedule_expr,
        timezone=preview.timezone,
        description=shown.description.sentence,
        warnings=list(shown.description.warnings),
        instants=[InstantOut.of(instant) for instant in shown.instants],
    )
