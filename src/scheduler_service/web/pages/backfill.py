"""Backfills: instants of the past that became no run are run after all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.services.backfill_request import MAX_RUNS, read_backfill_request
from scheduler_service.services.backfills import Backfill
from scheduler_service.web.forms import sentences_of
from scheduler_service.web.queries import whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()
CHOICES = ("missed", "failed", "all")
SHOWN = 5
_FIELDS = ("from", "to", "only")


@pages.get("/jobs/{job_id:int}/backfill")
async def ask_to_backfill(visit: Visit) -> Response:
    """Show which instants of a window would be run. Nothing is queued yet."""
    visit.caller.require(Scope.RUN)
    now = datetime.now(UTC).replace(microsecond=0)
    default = {"from": iso8601(now - timedelta(days=1)), "to": iso8601(now), "only": CHOICES[0]}
    return await _show(visit, {name: visit.query.get(name) or default[name] for name in _FIELDS})


@pages.post("/jobs/{job_id:int}/backfill")
async def backfill(visit: Visit) -> Response:
    """Queue the runs that were shown. If there are more or fewer by now, show them again."""
    window = {name: visit.text_of(name) for name in _FIELDS}
    count = whole_of(visit.text_of("expected")) or 0
    try:
        found = await _found(visit, window, is_dry=True)
    except (InvalidInputError, ConflictError):
        return await _show(visit, window)
    if len(found.chosen) != count:
        return await _show(visit, window, text("backfill.changed"))
    done = await _found(visit, window, is_dry=False)
    notice = text("backfill.done", n=len(done.run_ids))
    return visit.redirect(f"/ui/runs?job={visit.path_id('job_id')}&trigger=backfill", notice)


async def _found(visit: Visit, window: dict[str, str], *, is_dry: bool) -> Backfill:
    document: dict[str, Any] = {**window, "dry_run": is_dry, "max_runs": MAX_RUNS}
    return await visit.service.jobs.backfill(visit.caller, visit.path_id("job_id"), read_backfill_request(document))


async def _show(visit: Visit, window: dict[str, str], error: str | None = None) -> Response:
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    found, errors = None, [error] if error else []
    try:
        found = await _found(visit, window, is_dry=True)
    except InvalidInputError as fault:
        errors = sentences_of(fault)
    except ConflictError as fault:
        errors = [str(fault)]
    return visit.show(
        "job_backfill.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        job=job,
        window=window,
        errors=errors,
        found=found,
        choices=CHOICES,
        shown=SHOWN,
    )
