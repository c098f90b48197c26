"""What can be done with a run."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.run import run_page
from scheduler_service.web.visit import Visit

pages = Pages()


@pages.get("/runs/{run_id:int}/cancel")
async def ask_to_cancel(visit: Visit) -> Response:
    """Show which run would be cancelled, and how long it has been running."""
    visit.caller.require(Scope.RUN)
    detail = await visit.service.runs.get(visit.caller, visit.path_id("run_id"), has_log=False)
    page = run_page(detail.view.run, detail.attempts, datetime.now(UTC))
    return visit.show("run_cancel.html", record=detail.view.run, run=page, job_name=detail.view.job_name)


@pages.post("/runs/{run_id:int}/cancel")
async def cancel_run(visit: Visit) -> Response:
    """Cancel a waiting run, or ask a running one to stop."""
    run = await visit.service.runs.cancel(visit.caller, visit.path_id("run_id"))
    return visit.redirect(f"/ui/runs/{run.id}", text("run.cancel_done", id=run.id))


@pages.post("/runs/{run_id:int}/retry")
async def retry_run(visit: Visit) -> Response:
    """Queue a new run for the instant of one that did not succeed."""
    old = visit.path_id("run_id")
    new = await visit.service.runs.retry(visit.caller, old)
    return visit.redirect(f"/ui/runs/{new.id}", text("run.retry_done", old=old))
