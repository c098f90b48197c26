"""The routes of calendars."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response, status

from scheduler_service.domain.calendars import CALENDAR_NAME
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.features.calendars import examples
from scheduler_service.features.calendars.definition import CalendarRequest
from scheduler_service.features.calendars.schemas import CalendarDays, CalendarList, CalendarOut
from scheduler_service.features.calendars.service import CalendarService
from scheduler_service.features.dependencies import provide
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import OwnerQuery
from scheduler_service.http.route import KeyedRoute
from scheduler_service.payloads.text_pattern import TextPattern

CALENDARS = "/api/v1/calendars"

router = APIRouter(prefix=CALENDARS, tags=["calendars"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

Calendars = Annotated[CalendarService, Depends(provide(CalendarService))]
Name = Annotated[
    str,
    TextPattern(CALENDAR_NAME, "1 to 64 letters, digits and the signs _ . - after a letter or digit"),
    Path(description="The `name` of the calendar.", examples=["plant-closed"]),
]
OwnerId = Annotated[
    OwnerQuery | None,
    Query(description="Owner of the calendar, for a key with the scope `admin`. Default: the owner of the key."),
]
Year = Annotated[int | None, Query(ge=1970, le=2200, description="The year, 1970 to 2200. Default: the present one.")]
Definition = Annotated[
    CalendarRequest, Body(openapi_examples={"closed": {"summary": "Days off", "value": examples.DEFINITION}})
]


@router.get(
    "",
    operation_id="listCalendars",
    summary="List calendars",
    responses={200: answer("The calendars.", {"calendars": [examples.CALENDAR]}), **refusals()},
)
async def list_calendars(calendars: Calendars, caller: CurrentCaller, owner_id: OwnerId = None) -> CalendarList:
    """List the calendars of the key's owner, or of every owner for a key with the scope `admin`.

    Built-in calendars are not listed: `business-days`, `weekends`, and the public holidays of a country or of its
    subdivision, such as `de-holidays` and `de-BY-holidays`.
    """
    found = await calendars.list_calendars(caller, owner_id)
    return CalendarList(calendars=[CalendarOut.of(calendar) for calendar in found])


@router.get(
    "/{name}",
    operation_id="getCalendar",
    summary="Get a calendar",
    responses={200: answer("The calendar.", examples.CALENDAR), **refusals(NotFoundError)},
)
async def get_calendar(
    name: Name, calendars: Calendars, caller: CurrentCaller, owner_id: OwnerId = None
) -> CalendarOut:
    """Get the definition of a calendar. Built-in calendars have none."""
    return CalendarOut.of(await calendars.get(caller, owner_id, name))


@router.get(
    "/{name}/days",
    operation_id="listCalendarDays",
    summary="List the days of a calendar",
    responses={200: answer("The days.", examples.DAYS), **refusals(NotFoundError)},
)
async def list_days(
    name: Name, calendars: Calendars, caller: CurrentCaller, year: Year = None, owner_id: OwnerId = None
) -> CalendarDays:
    """List the days of one year. The calendar can be a built-in one."""
    chosen, days = await calendars.days(caller, owner_id, name, year)
    return CalendarDays(name=name, year=chosen, days=days)


@router.put(
    "/{name}",
    operation_id="putCalendar",
    summary="Create or replace a calendar",
    responses={
        200: answer("The calendar was replaced.", examples.CALENDAR),
        201: answer("The calendar is new.", examples.CALENDAR),
        **refusals(ConflictError, takes_body=True),
    },
)
async def put_calendar(
    name: Name,
    definition: Definition,
    calendars: Calendars,
    caller: CurrentCaller,
    response: Response,
    owner_id: OwnerId = None,
) -> CalendarOut:
    """Create a calendar, or replace its days. Later instants of the jobs that name it follow the new days."""
    calendar, is_new = await calendars.put(caller, owner_id, name, definition.definition())
    if is_new:
        response.status_code = status.HTTP_201_CREATED
        response.headers["Location"] = f"{CALENDARS}/{name}"
    return CalendarOut.of(calendar)


@router.delete(
    "/{name}",
    operation_id="deleteCalendar",
    summary="Delete a calendar",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**refusals(NotFoundError, ConflictError)},
)
async def delete_calendar(name: Name, calendars: Calendars, caller: CurrentCaller, owner_id: OwnerId = None) -> None:
    """Delete a calendar. One that a job names cannot be deleted."""
    await calendars.delete(caller, owner_id, name)
