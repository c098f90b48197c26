"""Workers: who works, on what."""

from __future__ import annotations

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.features.workers.service import WorkerService
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()


@pages.get("/workers")
async def show_workers(visit: Visit) -> Response:
    """Show each worker with its slots."""
    return visit.show("workers.html", rows=await visit.feature(WorkerService).all(visit.caller))


@pages.get("/workers/{worker_id}/drain")
async def ask_to_drain(visit: Visit) -> Response:
    """Show which worker would take no more runs."""
    visit.caller.require(Scope.ADMIN)
    worker_id = str(visit.request.path_params["worker_id"])
    return visit.show("worker_drain.html", row=await visit.feature(WorkerService).get(visit.caller, worker_id))


@pages.post("/workers/{worker_id}/drain")
async def drain_worker(visit: Visit) -> Response:
    """Ask a worker to take no more runs."""
    worker_id = str(visit.request.path_params["worker_id"])
    await visit.feature(WorkerService).drain(visit.caller, worker_id)
    return visit.redirect("/ui/workers", text("workers.drained", id=worker_id))
