"""A draft of a job in the editor: read from a form, checked, and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.records import Job
from scheduler_service.domain.schedules.zone import meant_zone
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.grants.service import GrantService
from scheduler_service.payloads import registry
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.preview_request import PreviewRequest
from scheduler_service.services.schedules import Preview as Timing
from scheduler_service.web import hints
from scheduler_service.web.faults import problems_in
from scheduler_service.web.queries import whole, whole_of
from scheduler_service.web.texts import text
from scheduler_service.web.views.day_strip import day_strip
from scheduler_service.web.views.editor_fields import OPERATIONS, fields_of, value_at
from scheduler_service.web.views.editor_form import (
    DOCUMENT,
    Problem,
    controls,
    json_text,
    payload_type,
    read_form,
    read_json,
)
from scheduler_service.web.views.editor_text import text_of
from scheduler_service.web.views.merging import Choice
from scheduler_service.web.views.preview import Preview, preview, schedule_preview
from scheduler_service.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Draft:
    """A document in the editor. `job` is the job that it changes, and `version` the one that the form was made from."""

    document: Mapping[str, Any]
    job: Job | None = None
    version: int | None = None
    problems: tuple[Problem, ...] = ()
    preview: Preview | None = None
    # What was written as JSON, if it is none.
    written: str | None = None
    # What was written as the zone, if a zone was meant by it.
    written_zone: str | None = None
    # The job that a new one is copied from.
    copied_id: int | None = None

    @property
    def source(self) -> str:
        """Return the query by which `source_draft` finds what the form was made from."""
        if self.job is not None:
            return f"?job={self.job.id}"
        return "" if self.copied_id is None else f"?job={self.copied_id}&as=clone"

    def with_problems(self, problems: Sequence[Problem]) -> Draft:
        """Return the draft with faults."""
        return replace(self, problems=tuple(problems))


NEW: Mapping[str, Any] = {"payload": {"type": "python_code"}}
"""The document of a new job."""


def draft_of(job: Job) -> Draft:
    """Return the draft of a change of a job."""
    return Draft(document_of(job), job=job, version=job.version)


async def source_draft(visit: Visit) -> Draft:
    """Return what the form of an editor was made from: the job in the address, its copy with `as=clone`, or nothing."""
    job_id = whole(visit.request.query_params, "job")
    if job_id is None:
        return Draft(NEW)
    draft = draft_of(await visit.service.jobs.get(visit.caller, job_id))
    return Draft(draft.document, copied_id=job_id) if visit.query.get("as") == "clone" else draft


def read_draft(visit: Visit, base: Draft) -> Draft:
    """Return the draft in the form of a request, on top of what is stored."""
    base = replace(base, version=whole_of(visit.text_of("version")) or base.version)
    form = {name: value for name, value in visit.form.items() if isinstance(value, str)}
    if DOCUMENT not in form:
        return _with_meant_zone(replace(base, document=read_form(form, base.document)))
    try:
        return replace(base, document=read_json(form[DOCUMENT], base.document))
    except (ValueError, RecursionError) as error:
        problem = Problem("", text("editor.no_json", error=error))
        return replace(base, problems=(problem,), written=form[DOCUMENT])


def _with_meant_zone(draft: Draft) -> Draft:
    """Return the draft with the zone that was meant by the name of a place, such as Berlin."""
    written = draft.document.get("timezone")
    meant = meant_zone(written) if isinstance(written, str) else None
    if meant in {None, written}:
        return draft
    return replace(draft, document={**draft.document, "timezone": meant}, written_zone=written)


async def validated(visit: Visit, draft: Draft) -> Draft:
    """Return the draft with its faults, or with a preview of what it makes."""
    if draft.problems:
        return draft
    job_id = None if draft.job is None else draft.job.id
    try:
        found = await visit.service.jobs.validate(visit.caller, draft.document, job_id)
    except InvalidInputError as error:
        timing = await _timing(visit, draft)
        wrong = draft.with_problems(problems_in(error, draft.document))
        return wrong if timing is None else replace(wrong, preview=_preview_of(timing))
    timing = await _timing(visit, draft)
    described = visit.service.schedules.describe(found.job, draft.document)
    of_grants = await visit.feature(GrantService).warnings(found.job.grants)
    day = await visit.service.schedules.next_day(found.job)
    zone = ZoneInfo(found.job.timezone)
    shown = await asyncio.to_thread(
        preview,
        sentence=described.sentence,
        warnings=[*described.warnings, *of_grants],
        instants=found.instants,
        instants_now=found.instants_now,
        changes=found.changes,
        retry_policy=found.job.retry_policy,
        is_new=draft.job is None,
        day=day_strip([(each.at, each.calendar is not None) for each in day], datetime.now(UTC), zone),
    )
    return replace(draft, preview=replace(shown, is_steady=timing is not None and _is_steady(timing)))


def _preview_of(timing: Timing) -> Preview:
    return schedule_preview(
        sentence=timing.description.sentence,
        warnings=timing.description.warnings,
        instants=timing.instants,
        is_steady=_is_steady(timing),
    )


async def _timing(visit: Visit, draft: Draft) -> Timing | None:
    """Return when a draft would run, whatever else is wrong with it. None: it has no schedule, or an invalid one."""
    schedules = visit.service.schedules
    document = {name: draft.document[name] for name in PreviewRequest.model_fields if name in draft.document}
    if not document.get("schedule_expr"):
        return None
    try:
        return await schedules.preview(visit.caller, await schedules.read(visit.caller, document))
    except InvalidInputError:
        return None


def _is_steady(timing: Timing) -> bool:
    """Return whether the zone has clock changes and none of them touches the schedule."""
    return bool(timing.clock_changes) and not any(change.times for change in timing.clock_changes)


def touched(visit: Visit, draft: Draft) -> Draft:
    """Return the draft with the faults of the controls that were used. A page without scripts does not name them."""
    names = visit.text_of("touched")
    if not names:
        return draft
    used = names.split()
    return draft.with_problems([each for each in draft.problems if not each.pointer or each.pointer in used])


async def show_editor(
    visit: Visit,
    draft: Draft,
    status: int = HTTPStatus.OK,
    *,
    mode: str | None = None,
    conflicts: Sequence[Choice] = (),
    panel: object = None,
) -> Response:
    """Return the page of the editor. `mode` is `json` or `form`, `panel` a test run."""
    has_plugin = payload_type(draft.document) not in registry.BUILT_IN
    is_json = draft.written is not None or (mode or ("json" if DOCUMENT in visit.form else "form")) == "json"
    default = {
        field.pointer: text_of(field.kind, value_at(hints.defaults(), field.steps))
        for field in fields_of(payload_type(draft.document))
    }
    return visit.show(
        "editor.html",
        status=status,
        draft=draft,
        controls=controls(draft.document, draft.problems),
        general=[problem for problem in draft.problems if not problem.pointer],
        hints=hints.hints(),
        defaults=default,
        kinds=tuple(registry.kinds()),
        kind=payload_type(draft.document),
        has_plugin=has_plugin,
        operations=OPERATIONS,
        document=draft.written or json_text(draft.document),
        is_json=is_json,
        is_on_demand=draft.document.get("schedule_expr", "") is None,
        grants=[each.name for each in await visit.feature(GrantService).offered(visit.caller)],
        is_admin=Scope.ADMIN in visit.caller.scopes,
        conflicts=conflicts,
        panel=panel,
    )
