"""The editor of jobs: new ones, copies, and changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.records import Job
from scheduler_service.errors import ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError
from scheduler_service.services.job_mapping import document_of
from scheduler_service.web.editing import (
    NEW,
    Draft,
    draft_of,
    read_draft,
    show_editor,
    source_draft,
    touched,
    validated,
)
from scheduler_service.web.faults import problems_in
from scheduler_service.web.queries import whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.test_panel import queue_test, test_panel
from scheduler_service.web.texts import text
from scheduler_service.web.views.editor_form import Problem
from scheduler_service.web.views.merging import choices, merged
from scheduler_service.web.visit import Visit

pages = Pages()


@pages.get("/jobs/new")
async def show_new(visit: Visit) -> Response:
    """Show an empty editor."""
    visit.caller.require(Scope.WRITE)
    return await show_editor(visit, Draft(NEW))


@pages.post("/jobs/new")
async def create(visit: Visit) -> Response:
    """Store a new job, or show what is wrong with it."""
    draft = read_draft(visit, Draft(NEW))
    return await _save(visit, draft)


@pages.get("/jobs/{job_id:int}/clone")
async def show_clone(visit: Visit) -> Response:
    """Show an editor with a copy of a job."""
    visit.caller.require(Scope.WRITE)
    return await show_editor(visit, await _copy(visit))


@pages.post("/jobs/{job_id:int}/clone")
async def create_clone(visit: Visit) -> Response:
    """Store the copy. Values of variables that the form does not show come from the job itself."""
    return await _save(visit, read_draft(visit, await _copy(visit)))


@pages.get("/jobs/{job_id:int}/edit")
async def show_edit(visit: Visit) -> Response:
    """Show an editor with a job."""
    visit.caller.require(Scope.WRITE)
    return await show_editor(visit, draft_of(await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))))


@pages.post("/jobs/{job_id:int}/edit")
async def change(visit: Visit) -> Response:
    """Store the change of a job, or show what is wrong with it or what somebody else has changed."""
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    draft = read_draft(visit, draft_of(job))
    if (theirs := whole_of(visit.text_of("theirs"))) is not None and not draft.problems:
        chosen = {name.removeprefix("choice:"): str(value) for name, value in visit.form.items()}
        draft = Draft(merged(draft.document, document_of(job), chosen), job=job, version=theirs)
    return await _save(visit, draft)


@pages.post("/jobs/check")
async def check(visit: Visit) -> Response:
    """Show what the form would make, beside it, without storing anything."""
    draft = await validated(visit, read_draft(visit, await source_draft(visit)))
    return visit.show("editor_preview.html", draft=touched(visit, draft))


async def _copy(visit: Visit) -> Draft:
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    document = document_of(job)
    copy = {**document, "name": text("editor.copy_of", name=job.name), "external_key": None}
    return Draft(copy, copied_id=job.id)


async def _save(visit: Visit, draft: Draft) -> Response:
    visit.caller.require(Scope.WRITE)
    if draft.problems:
        return await show_editor(visit, draft, HTTPStatus.UNPROCESSABLE_ENTITY)
    if visit.text_of("switch") or visit.text_of("check"):
        shown = await validated(visit, draft) if visit.text_of("check") else draft
        return await show_editor(visit, shown, mode=visit.text_of("switch") or None)
    if visit.text_of("test"):
        run_id, draft = await queue_test(visit, draft)
        panel = None if run_id is None else await test_panel(visit, run_id)
        return await show_editor(visit, draft, panel=panel)
    try:
        job = await _stored(visit, draft)
    except (InvalidInputError, ConflictError) as error:
        return await show_editor(visit, draft.with_problems(_problems(error, draft)), HTTPStatus.UNPROCESSABLE_ENTITY)
    except PreconditionFailedError:
        return await _merge(visit, draft)
    done = "editor.created" if draft.job is None else "editor.saved"
    return visit.redirect(f"/ui/jobs/{job.id}", text(done, name=job.name))


def _problems(error: InvalidInputError | ConflictError, draft: Draft) -> list[Problem]:
    if isinstance(error, InvalidInputError):
        return problems_in(error, draft.document)
    return [Problem("", str(error))]


async def _stored(visit: Visit, draft: Draft) -> Job:
    jobs = visit.service.jobs
    if draft.job is None:
        return await jobs.create_from(visit.caller, draft.document)
    versions = None if draft.version is None else frozenset({draft.version})
    return await jobs.replace(visit.caller, draft.job.id, draft.document, versions)


async def _merge(visit: Visit, draft: Draft) -> Response:
    """Show which fields somebody else has changed since the form was opened, with a choice for each."""
    assert draft.job is not None  # noqa: S101 (only a change has a version)
    base: Mapping[str, Any] = {}
    with suppress(NotFoundError):  # it is not kept any more: every difference is a choice
        base = (await visit.service.versions.get(visit.caller, draft.job.id, draft.version or 1)).definition
    conflicts = choices(base, document_of(draft.job), draft.document)
    if not conflicts:
        return await _save(visit, replace(draft, version=draft.job.version))
    return await show_editor(visit, draft, HTTPStatus.PRECONDITION_FAILED, conflicts=conflicts)
