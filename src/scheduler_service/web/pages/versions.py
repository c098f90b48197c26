"""The versions of a job: who changed what and when, and going back to one."""

from __future__ import annotations

from starlette.responses import Response

from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.preview import changes_in
from scheduler_service.web.visit import Visit

pages = Pages()
SHOWN = 20


@pages.get("/jobs/{job_id:int}/versions")
async def show_versions(visit: Visit) -> Response:
    """Show the versions of a job, the newest first, each with what it changed."""
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    service, before = visit.service.versions, whole(visit.request.query_params, "before")
    views, following = await service.newest_views(visit.caller, job.id, before, SHOWN)
    rows = [(view.version, None if view.changes is None else changes_in(view.changes)) for view in views]
    return visit.show("versions.html", job=job, rows=rows, following=following)


@pages.post("/jobs/{job_id:int}/versions/{version:int}/restore")
async def restore_version(visit: Visit) -> Response:
    """Make the definition of a version the current one, as a new version."""
    job = await visit.service.jobs.restore(visit.caller, visit.path_id("job_id"), visit.path_id("version"))
    done = text("versions.restored", version=visit.path_id("version"), current=job.version)
    return visit.redirect(f"/ui/jobs/{job.id}/versions", done)
