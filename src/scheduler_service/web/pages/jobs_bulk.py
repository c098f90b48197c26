"""Changing many jobs at once: the selected ones, or all that match the filters."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.listing import Count, Page
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.services.bulk import BulkItem, BulkService
from scheduler_service.services.bulk_request import MAX_ITEMS, JobBulkRequest, read_job_bulk
from scheduler_service.web.forms import sentences_of
from scheduler_service.web.queries import due_range, whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.bulk import NAMED, is_typed, place_in
from scheduler_service.web.visit import Visit

pages = Pages()
OF_TAGS = ("tag", "untag")
ACTIONS = ("pause", "resume", "run", *OF_TAGS, "delete")
UNDONE_BY = {"pause": "resume", "resume": "pause"}
# The notice that offers to undo is a cookie, and these ids are in it.
MAX_UNDONE = 100
ROOT = "/ui/jobs"
_FILTERS = {"q": "q", "status": "status", "last": "last_status", "type": "type", "tag": "tag", "owner": "owner_id"}
_DUE = "due"
"""The filter by the next instant, which the address names by a window or by two instants."""


@pages.get("/jobs/bulk")
async def ask_to_change(visit: Visit) -> Response:
    """Show how many jobs would be changed, and some of them."""
    query = visit.request.query_params
    action = query.get("action", "")
    if action not in ACTIONS:
        return visit.redirect("/ui/jobs")
    visit.caller.require(Scope.RUN if action == "run" else Scope.WRITE)
    fields = dict(query)
    document = _document(action, query.getlist("ids"), fields)
    if document is None:
        return visit.redirect("/ui/jobs", text("bulk.nothing"))
    return await _show(visit, document, fields)


@pages.post("/jobs/bulk")
async def change(visit: Visit) -> Response:
    """Change the jobs if their number is the confirmed one."""
    fields = {name: str(value) for name, value in visit.form.items()}
    document = _document(fields.get("action", ""), visit.form.getlist("ids"), fields)
    if document is None or document["action"] not in ACTIONS:
        return visit.redirect("/ui/jobs", text("bulk.nothing"))
    count = whole_of(fields.get("expected", "")) or 0
    if is_typed(document["action"], count) and visit.text_of("typed") != str(count):
        return await _show(visit, document, fields, text("bulk.wrong_number"))
    if document["action"] in OF_TAGS:
        document["tags"] = [tag for each in visit.text_of("tags").split(",") if (tag := each.strip())]
    try:
        request = read_job_bulk({**document, "expected_count": count})
    except InvalidInputError as error:
        if document["action"] not in OF_TAGS:
            raise
        return await _show(visit, document, fields, "; ".join(sentences_of(error)))
    affected = await _affected(visit, request)
    items = await _service(visit).change_jobs(visit.caller, request)
    return _answer(visit, request, items, affected)


@pages.post("/jobs/bulk/undo")
async def undo(visit: Visit) -> Response:
    """Pause or resume the jobs in the address again, of which the notice of a bulk change tells."""
    ids = [number for each in visit.query.get("ids", "").split(",") if (number := whole_of(each)) is not None]
    if visit.query.get("action") not in UNDONE_BY or not ids:
        return visit.redirect(ROOT, text("bulk.nothing"))
    request = read_job_bulk({"action": visit.query["action"], "ids": [*ids]})
    items = await _service(visit).change_jobs(visit.caller, request)
    return _answer(visit, request, items, [], visit.query.get("back", ""))


def _answer(
    visit: Visit, request: JobBulkRequest, items: list[BulkItem], affected: list[int], back: str | None = None
) -> Response:
    """Return to the list, and offer to undo what has been done to the affected jobs."""
    back = place_in(visit.text_of("back") if back is None else back)
    refused = [item for item in items if item.outcome != "done"]
    done = text(f"bulk.done_{request.action}", n=len(items) - len(refused))
    if refused:
        root = ROOT + back
        return visit.show(
            "bulk_done.html", done=done, refused=refused, root=ROOT, back=root, label="alerts.job", title="jobs.title"
        )
    ids = ",".join(map(str, affected))
    query = urlencode({"action": UNDONE_BY.get(request.action), "ids": ids, "back": back})
    return visit.redirect(ROOT + back, done, undo=f"{ROOT}/bulk/undo?{query}" if affected else None)


async def _affected(visit: Visit, request: JobBulkRequest) -> list[int]:
    """Return the jobs that are not yet in the state that a request leads to, or none if it cannot be undone."""
    if request.action not in UNDONE_BY:
        return []
    planned = await _service(visit).change_jobs(visit.caller, request.model_copy(update={"dry_run": True}))
    if len(planned) > MAX_UNDONE:
        return []
    found = []
    for item in planned:
        with suppress(NotFoundError):
            found.append(await visit.service.jobs.get(visit.caller, item.id))
    left = JobStatus.ACTIVE if request.action == "pause" else JobStatus.PAUSED
    return [job.id for job in found if job.status is left]


def _document(action: str, ids: list[Any], fields: dict[str, str]) -> dict[str, Any] | None:
    """Return the request of the API, or None if no job is selected."""
    if fields.get("all"):
        chosen = {name: fields[field] for field, name in _FILTERS.items() if fields.get(field)}
        limits = zip(("due_since", "due_before"), due_range(fields.get(_DUE, ""), datetime.now(UTC)), strict=True)
        chosen |= {name: iso8601(limit) for name, limit in limits if limit is not None}
        return {"action": action, "filter": chosen}
    numbers = [number for each in ids if (number := whole_of(str(each))) is not None]
    return {"action": action, "ids": numbers[:MAX_ITEMS]} if numbers else None


async def _show(visit: Visit, document: dict[str, Any], fields: dict[str, str], error: str | None = None) -> Response:
    # Which tags is asked here, and how many jobs there are does not depend on it.
    counted = "pause" if document["action"] in OF_TAGS else document["action"]
    request = read_job_bulk({**document, "action": counted, "tags": [], "dry_run": True})
    count = len(await _service(visit).change_jobs(visit.caller, request))
    return visit.show(
        "bulk.html",
        root=ROOT,
        status=HTTPStatus.OK if error is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        document=document,
        filters=[(field, fields.get(field)) for field in (*_FILTERS, _DUE)],
        count=count,
        names=await _names(visit, request),
        is_typed=is_typed(request.action, count),
        asks_for_tags=document["action"] in OF_TAGS,
        back=place_in(fields.get("back", "")),
        error=error,
    )


async def _names(visit: Visit, request: JobBulkRequest) -> list[str]:
    """Return the names of the first jobs that are meant."""
    jobs = visit.service.jobs
    if request.filter is not None:
        page = Page(size=NAMED, count=Count.NONE)
        return [job.name for job in (await jobs.page(visit.caller, request.filter.filters(), page)).items]
    return [(await jobs.get(visit.caller, job_id)).name for job_id in (request.ids or [])[:NAMED]]


def _service(visit: Visit) -> BulkService:
    service = visit.service
    return BulkService(service.jobs, service.runs, service.listing, service.run_listing)
