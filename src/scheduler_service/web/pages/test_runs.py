"""Test runs: the definition in the editor, run once before it is saved."""

from __future__ import annotations

from starlette.responses import Response

from scheduler_service.web.editing import read_draft, source_draft
from scheduler_service.web.routes import Pages
from scheduler_service.web.test_panel import queue_test, test_panel
from scheduler_service.web.visit import Visit

pages = Pages()


@pages.post("/jobs/test")
async def start_test(visit: Visit) -> Response:
    """Run the definition in the form, and show its log beside the form."""
    run_id, draft = await queue_test(visit, read_draft(visit, await source_draft(visit)))
    panel = None if run_id is None else await test_panel(visit, run_id)
    return visit.show("editor_test.html", panel=panel, problems=draft.problems)


@pages.get("/jobs/test/{run_id:int}")
async def show_test(visit: Visit) -> Response:
    """Show how a test run goes on."""
    return visit.show("editor_test.html", panel=await test_panel(visit, visit.path_id("run_id")), problems=())
