"""What if: the ledger that a job would have with outages, pauses, other run lengths and other policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from scheduler_service.domain.hours import hour_of
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.listing import Count, JobFilter, Page
from scheduler_service.domain.records import Job
from scheduler_service.domain.simulation import Simulation
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.http.error_messages import detail_of
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.simulation_request import SimulationRequest
from scheduler_service.web.editing import read_draft, show_editor, source_draft
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.editor_form import json_text, read_json
from scheduler_service.web.views.simulated import Track, tracks
from scheduler_service.web.visit import Visit

pages = Pages()
CHANGES = {
    "schedule_expr": "editor.expression",
    "overlap_policy": "editor.overlap",
    "misfire_policy": "editor.misfire",
    "max_concurrency": "editor.max_concurrency",
    "start_deadline_seconds": "editor.deadline",
}
"""The settings that can be changed, with the texts that the form of a job calls them by."""
LABELS = {
    **CHANGES,
    **{name: f"simulate.{name}" for name in ("from", "to", "run_seconds", "outages", "pauses")},
    "job": "simulate.job",
}
DEFAULT_SECONDS = 60
CHOICE = Page(size=10, count=Count.NONE)
"""The jobs that are offered to begin with."""
DEFINITION = "definition"
SENT = (
    "name",
    "timezone",
    "payload",
    "dst",
    "anchor_at",
    "start_at",
    "end_at",
    "calendars",
    "calendar_shift",
    *CHANGES,
)
"""The fields of a job on which its schedule depends, and those that no job lacks."""
NUMBERS = frozenset({"max_concurrency", "start_deadline_seconds"})


@pages.get("/simulate")
async def show_simulation(visit: Visit) -> Response:
    """Show a form, and the ledgers that it describes. Everything is in the address, so it can be shared."""
    job_id = whole(visit.request.query_params, "job")
    if job_id is None:
        wanted = visit.query.get("q") or None
        found = await visit.service.jobs.page(visit.caller, JobFilter(q=wanted, sort="-id"), CHOICE)
        rows = [(job, visit.service.schedules.describe(job).sentence) for job in found.items]
        return visit.show("simulate_choose.html", rows=rows, q=wanted, has_more=found.next is not None)
    job = await visit.service.jobs.get(visit.caller, job_id)
    median = await visit.service.run_listing.expected_seconds(visit.caller, job.id)
    return await _show(visit, document_of(job), _given(visit.query, median), job=job, median=median)


@pages.post("/simulate")
async def simulate_draft(visit: Visit) -> Response:
    """Show the same for a definition that is not stored: the form of the editor, or what this page was made from."""
    if DEFINITION not in visit.form:
        draft = read_draft(visit, await source_draft(visit))
        if draft.problems:
            return await show_editor(visit, draft, HTTPStatus.UNPROCESSABLE_ENTITY)
        # What a schedule does depends on no variable, and values of variables are never shown.
        document: Mapping[str, Any] = {name: value for name, value in draft.document.items() if name != "env"}
        return await _show(visit, document, _given({}, None))
    try:
        document = read_json(visit.text_of(DEFINITION), {})
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(FieldProblem(DEFINITION, str(error))) from error
    given = {name: value for name, value in visit.form.items() if isinstance(value, str)}
    return await _show(visit, document, _given(given, None))


async def _show(
    visit: Visit,
    document: Mapping[str, Any],
    given: Mapping[str, str],
    *,
    job: Job | None = None,
    median: float | None = None,
) -> Response:
    shown: tuple[Track, ...] = ()
    faults: tuple[str, ...] = ()
    request: dict[str, Any] | None = None
    try:
        scenario, changes = _scenario(given), _changes(given)
        shown = await _tracks(visit, document, scenario, changes)
        request = _request(scenario, document, changes, job)
    except (InvalidInputError, ValidationError, ValueError) as error:
        faults = _faults(error)
    return visit.show(
        "simulate.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        job=job,
        base={name: document.get(name) for name in ("name", *CHANGES)},
        definition=None if job else json_text(document),
        given=given,
        tracks=shown,
        faults=faults,
        changed=CHANGES,
        median=median,
        api_document=request,
    )


def _given(written: Mapping[str, str], median: float | None) -> Mapping[str, str]:
    """Return what the address or form says, by default with a day from now on and runs as long as the median."""
    begin = hour_of(datetime.now(UTC)) + timedelta(hours=1)
    default = {
        "from": iso8601(begin),
        "to": iso8601(begin + timedelta(days=1)),
        "run_seconds": f"{DEFAULT_SECONDS if median is None else median:g}",
    }
    names = (*default, "outages", "pauses", *CHANGES)
    return {name: written.get(name) or default.get(name, "") for name in names}


def _scenario(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the request of the API without its job. Raise `ValueError` for what is no number."""
    return {
        "from": given["from"],
        "to": given["to"],
        "run_seconds": _number(given["run_seconds"]),
        "outages": _spans(given["outages"]),
        "pauses": _spans(given["pauses"]),
    }


def _changes(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that are changed. Raise `ValueError` for what is no number."""
    return {name: _number(given[name]) if name in NUMBERS else given[name] for name in CHANGES if given[name]}


def _request(
    scenario: Mapping[str, Any], document: Mapping[str, Any], changes: Mapping[str, Any], job: Job | None
) -> dict[str, Any]:
    """Return the request of the API for the last track. It has no variables: their values are never shown."""
    if job is not None and not changes:
        return {"job_id": job.id, **scenario}
    return {"job": {name: value for name, value in {**document, **changes}.items() if name in SENT}, **scenario}


async def _tracks(
    visit: Visit, document: Mapping[str, Any], scenario: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[Track, ...]:
    as_is = await _simulate(visit, scenario, document)
    what_if = await _simulate(visit, scenario, {**document, **changes}) if changes else None
    window = SimulationRequest.model_validate({**scenario, "job": document})
    return tracks(window.begin, window.end, as_is, what_if)


async def _simulate(visit: Visit, scenario: Mapping[str, Any], document: Mapping[str, Any]) -> Simulation:
    request = SimulationRequest.model_validate({**scenario, "job": document})
    return await visit.service.simulations.simulate(visit.caller, request)


def _spans(written: str) -> list[dict[str, str]]:
    """Return the spans in lines such as `2026-01-15T10:00Z 2026-01-15T11:00Z`."""
    spans = []
    for line in written.splitlines():
        if line.strip():
            begin, _, end = line.strip().partition(" ")
            spans.append({"from": begin, "to": end.strip()})
    return spans


def _number(written: str) -> float | int:
    try:
        number = float(written)
    except ValueError:
        raise ValueError(text("simulate.no_number", value=written)) from None
    return int(number) if number.is_integer() else number


def _faults(error: Exception) -> tuple[str, ...]:
    if isinstance(error, ValidationError):
        return tuple(_named(item["loc"], detail_of(item)) for item in error.errors())
    if isinstance(error, RejectedError):
        found: list[tuple[Sequence[str | int], str]] = [(item["loc"], detail_of(item)) for item in error.items]
        found += [(each.field.split("."), each.message) for each in error.service_problems]
        return tuple(_named(path, message) for path, message in found)
    if isinstance(error, InvalidInputError):
        return tuple(_named(each.field.split("."), each.message) for each in error.problems)
    return (str(error),)


def _named(path: Sequence[str | int], message: str) -> str:
    """Return a message that begins with the label of its control."""
    first, *rest = map(str, path) if path else ("",)
    label = text(LABELS[first]) if first in LABELS else first
    return f"{' '.join([label, *rest])}: {message}" if label else message
