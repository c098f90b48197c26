"""What can be done with a job at once: run, pause, resume, delete."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.listing import Count, Page, RunFilter
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.pause_request import read_pause_request
from scheduler_service.services.run_request import RunRequest, read_run_request
from scheduler_service.web.forms import sentences_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.words import as_json
from scheduler_service.web.visit import Visit

pages = Pages()
JOB = "/jobs/{job_id:int}"
# Sets of arguments that are offered again, from among the newest runs.
SETS, SOUGHT, MAX_SET = 5, 20, 500


@pages.get(JOB + "/run")
async def ask_to_run(visit: Visit) -> Response:
    """Show the arguments of a manual run, and whether the overlap policy would refuse it."""
    visit.caller.require(Scope.RUN)
    return await _show_run_form(visit, visit.query.get("args", ""))


@pages.post(JOB + "/run")
async def run_job(visit: Visit) -> Response:
    """Queue a run."""
    written = visit.text_of("args")
    try:
        request = _run_request(written, ignores_overlap=bool(visit.text_of("ignore_overlap")))
    except InvalidInputError as error:
        return await _show_run_form(visit, written, str(error))
    run = await visit.service.jobs.run(visit.caller, visit.path_id("job_id"), request)
    return visit.redirect(f"/ui/runs/{run.id}")


@pages.get(JOB + "/pause")
async def ask_to_pause(visit: Visit) -> Response:
    """Ask why a job is paused and until when. Both can be left out."""
    visit.caller.require(Scope.WRITE)
    return await _show_pause_form(visit)


@pages.post(JOB + "/pause")
async def pause_job(visit: Visit) -> Response:
    """Pause a job, and offer to undo it."""
    until = visit.text_of("until")
    document = {"reason": visit.text_of("reason") or None, "until": f"{until}Z" if until else None}
    try:
        request = read_pause_request(document)
        job = await visit.service.jobs.pause(visit.caller, visit.path_id("job_id"), request=request)
    except InvalidInputError as error:
        return await _show_pause_form(visit, sentences_of(error))
    return visit.redirect(_back(visit), text("job.pause_done", name=job.name), undo=f"/ui/jobs/{job.id}/resume")


@pages.post(JOB + "/resume")
async def resume_job(visit: Visit) -> Response:
    """Resume a paused job."""
    job = await visit.service.jobs.resume(visit.caller, visit.path_id("job_id"))
    return visit.redirect(_back(visit), text("job.resume_done", name=job.name), undo=f"/ui/jobs/{job.id}/pause")


@pages.get(JOB + "/delete")
async def ask_to_delete(visit: Visit) -> Response:
    """Ask for the name of the job that would be deleted."""
    visit.caller.require(Scope.WRITE)
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    return visit.show("job_delete.html", job=job, error=None)


@pages.post(JOB + "/delete")
async def delete_job(visit: Visit) -> Response:
    """Delete a job whose name was typed."""
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    if visit.text_of("name") != job.name.strip():
        return visit.show("job_delete.html", status=422, job=job, error=text("job.delete_wrong"))
    await visit.service.jobs.delete(visit.caller, job.id)
    return visit.redirect("/ui/jobs", text("job.delete_done", name=job.name))


async def _show_pause_form(visit: Visit, errors: list[str] | None = None) -> Response:
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return visit.show("job_pause.html", status=status, job=job, errors=errors)


async def _show_run_form(visit: Visit, written: str, error: str | None = None) -> Response:
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    page = Page(size=SOUGHT, count=Count.NONE)
    views = (await visit.service.runs.page(visit.caller, RunFilter(job_id=job.id), page, has_logs=False)).items
    status = HTTPStatus.OK if error is None else HTTPStatus.UNPROCESSABLE_ENTITY
    # Pretty to read, and short enough for an address.
    sets = dict.fromkeys(as_json(view.run.args) for view in views if view.run.args)
    given = [text for text in sets if len(text) <= MAX_SET][:SETS]
    last = views[0].run if views else None
    return visit.show("job_run.html", status=status, job=job, written=written, error=error, last=last, given=given)


def _run_request(written: str, *, ignores_overlap: bool) -> RunRequest:
    try:
        args = json.loads(written or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(FieldProblem("args", f"not valid JSON: {error}")) from None
    try:
        return read_run_request({"args": args, "ignore_overlap": ignores_overlap})
    except RejectedError as error:
        raise InvalidInputError(FieldProblem("args", str(error))) from error


def _back(visit: Visit) -> str:
    back = visit.text_of("back")
    return back if back.startswith("/ui/") else f"/ui/jobs/{visit.path_id('job_id')}"
