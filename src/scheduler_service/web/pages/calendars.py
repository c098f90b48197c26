"""Calendars: on which days jobs run."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.calendars import CALENDAR_NAME
from scheduler_service.domain.caller import Scope
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.features.calendars.definition import CalendarRequest
from scheduler_service.features.calendars.service import CalendarService
from scheduler_service.web.forms import check_name, lines_of, read_form, sentences_of
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.year import year_of
from scheduler_service.web.visit import Visit

pages = Pages()
BUILT_IN = ("business-days", "weekends", "de-holidays", "us-holidays", "gb-holidays")
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


@pages.get("/calendars")
async def show_calendars(visit: Visit) -> Response:
    """List calendars."""
    rows = await visit.feature(CalendarService).list_calendars(visit.caller, None)
    return visit.show("calendars.html", rows=rows, built_in=BUILT_IN, is_bound=visit.caller.bound is not None)


@pages.get("/calendars/new")
async def ask_for_calendar(visit: Visit) -> Response:
    """Show the form of a calendar."""
    visit.caller.require(Scope.WRITE)
    return _form(visit)


@pages.post("/calendars/new")
async def put_calendar(visit: Visit) -> Response:
    """Store a calendar."""
    name = visit.text_of("name")
    try:
        check_name(name, CALENDAR_NAME, text("calendars.name_form"))
        definition = read_form(CalendarRequest, _document(visit)).definition()
        await visit.feature(CalendarService).put(visit.caller, visit.text_of("owner") or None, name, definition)
    except InvalidInputError as error:
        return _form(visit, sentences_of(error))
    except ConflictError as error:
        return _form(visit, [str(error)])
    return visit.redirect("/ui/calendars", text("calendars.stored", name=name))


@pages.get("/calendars/{name}")
async def show_calendar(visit: Visit) -> Response:
    """Show the days of a year."""
    name, owner = str(visit.request.path_params["name"]), visit.query.get("owner") or None
    wanted = whole(visit.request.query_params, "year")
    year = wanted if wanted is not None and _FIRST_YEAR <= wanted <= _LAST_YEAR else None
    chosen, days = await visit.feature(CalendarService).days(visit.caller, owner, name, year)
    return visit.show("calendar.html", name=name, owner=owner, year=chosen, months=year_of(chosen, days), days=days)


@pages.get("/calendars/{name}/delete")
async def ask_to_delete_calendar(visit: Visit) -> Response:
    """Ask whether a calendar is deleted."""
    visit.caller.require(Scope.WRITE)
    owner, name = visit.query.get("owner") or None, str(visit.request.path_params["name"])
    calendar = await visit.feature(CalendarService).get(visit.caller, owner, name)
    fields = {"owner": calendar.owner_id}
    return visit.show(
        "confirm.html", about="calendars.delete_", name=calendar.name, fields=fields, back="/ui/calendars"
    )


@pages.post("/calendars/{name}/delete")
async def delete_calendar(visit: Visit) -> Response:
    """Delete a calendar that no job names."""
    name = str(visit.request.path_params["name"])
    await visit.feature(CalendarService).delete(visit.caller, visit.text_of("owner") or None, name)
    return visit.redirect("/ui/calendars", text("calendars.deleted", name=name))


def _document(visit: Visit) -> dict[str, Any]:
    document: dict[str, Any] = {"dates": lines_of(visit.text_of("dates"))}
    if country := visit.text_of("country"):
        document["holidays"] = [{"country": country.upper(), "subdivision": visit.text_of("subdivision") or None}]
    if rules := lines_of(visit.text_of("rules")):
        document["rules"] = [{"rrule": rule} for rule in rules]
    if ical := visit.text_of("ical"):
        document["ical"] = ical
    return document


def _form(visit: Visit, errors: list[str] | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    names = ("name", "owner", "dates", "country", "subdivision", "rules", "ical")
    fields = {name: visit.text_of(name) for name in names}
    is_bound = visit.caller.bound is not None
    return visit.show("calendar_new.html", status=status, fields=fields, errors=errors, is_bound=is_bound)
