"""Changing many runs at once: the selected ones, or all that match the filters."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.datastructures import ImmutableMultiDict
from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.services.bulk import BulkService
from scheduler_service.services.bulk_request import MAX_ITEMS, read_run_bulk
from scheduler_service.web.queries import whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.bulk import NAMED, is_typed, place_in
from scheduler_service.web.visit import Visit

pages = Pages()
ROOT = "/ui/runs"
ACTIONS = ("cancel", "retry")
PAIR = 2
_FILTERS = {
    "job": "job_id", "owner": "owner_id", "tag": "tag", "trigger": "trigger", "reason": "reason", "since": "since",
    "until": "until",
}  # fmt: skip
Fields = ImmutableMultiDict[str, Any]


@pages.get("/runs/bulk")
async def ask_to_change_runs(visit: Visit) -> Response:
    """Show how many runs would be changed, and some of them."""
    fields = visit.request.query_params
    if fields.get("action") == "compare":
        return _compare(visit, fields)
    visit.caller.require(Scope.RUN)
    document = _document(fields)
    return visit.redirect(ROOT, text("bulk.nothing_runs")) if document is None else await _show(visit, document, fields)


@pages.post("/runs/bulk")
async def change_runs(visit: Visit) -> Response:
    """Change the runs if their number is the confirmed one."""
    document = _document(visit.form)
    if document is None:
        return visit.redirect(ROOT, text("bulk.nothing_runs"))
    count = whole_of(visit.text_of("expected")) or 0
    if is_typed(document["action"], count) and visit.text_of("typed") != str(count):
        return await _show(visit, document, visit.form, text("bulk.wrong_number"))
    items = await _service(visit).change_runs(visit.caller, read_run_bulk({**document, "expected_count": count}))
    refused = [item for item in items if item.outcome != "done"]
    done = text(f"bulk.done_{document['action']}", n=len(items) - len(refused))
    back = ROOT + place_in(visit.text_of("back"))
    if not refused:
        return visit.redirect(back, done)
    return visit.show(
        "bulk_done.html", done=done, refused=refused, root=ROOT, back=back, label="runs.run", title="runs.title"
    )


def _compare(visit: Visit, fields: Fields) -> Response:
    """Lead to the comparison of the two selected runs, the newer one beside the older one."""
    chosen = sorted(_ids(fields))
    if len(chosen) != PAIR or fields.get("all"):
        return visit.redirect(ROOT + place_in(fields.get("back", "")), text("compare.select_two"))
    return visit.redirect(f"{ROOT}/{chosen[1]}/compare?with={chosen[0]}")


def _ids(fields: Fields) -> list[int]:
    return [number for each in fields.getlist("ids") if (number := whole_of(str(each))) is not None]


def _document(fields: Fields) -> dict[str, Any] | None:
    """Return the request of the API, or None if no run is selected."""
    action = fields.get("action")
    if action not in ACTIONS:
        return None
    if fields.get("all"):
        chosen: dict[str, Any] = {name: fields[field] for field, name in _FILTERS.items() if fields.get(field)}
        if "job_id" in chosen:
            chosen["job_id"] = whole_of(str(chosen["job_id"]))
        if fields.get("late") == "1":
            chosen["late"] = True
        return {"action": action, "filter": {**chosen, "status": list(map(str, fields.getlist("status")))}}
    numbers = _ids(fields)
    return {"action": action, "ids": numbers[:MAX_ITEMS]} if numbers else None


async def _show(visit: Visit, document: dict[str, Any], fields: Fields, error: str | None = None) -> Response:
    request = read_run_bulk({**document, "dry_run": True})
    items = await _service(visit).change_runs(visit.caller, request)
    return visit.show(
        "bulk.html",
        status=HTTPStatus.OK if error is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        root=ROOT,
        document=document,
        filters=[(name, value) for name, value in fields.multi_items() if name in {*_FILTERS, "status", "late"}],
        count=len(items),
        names=[text("runs.run", id=item.id) for item in items[:NAMED]],
        is_typed=is_typed(request.action, len(items)),
        asks_for_tags=False,
        back=place_in(fields.get("back", "")),
        error=error,
    )


def _service(visit: Visit) -> BulkService:
    service = visit.service
    return BulkService(service.jobs, service.runs, service.listing, service.run_listing)
