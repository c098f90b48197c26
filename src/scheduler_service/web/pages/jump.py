"""Jumping to a job, a run or a page by a few letters, and the list of keys."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from scheduler_service.domain.listing import Count, JobFilter, Page
from scheduler_service.errors import NotFoundError
from scheduler_service.web import navigation
from scheduler_service.web.guides import search
from scheduler_service.web.lookups import find_job
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.palette import actions
from scheduler_service.web.visit import HOME, Visit

pages = Pages()
SHOWN = 8
KEYS = ("/", "ctrl_k", "g", "j", "x", "enter", "n", "e", "p", "r", "y", "f", "w", "[", "]", "?")


@pages.get("/jump")
async def show_jump(visit: Visit) -> Response:
    """Show what a text leads to: jobs by name, a run by its number, actions and pages. Without a text, pages lead."""
    wanted = visit.query.get("q", "").strip()
    job = await find_job(visit, whole(visit.request.query_params, "job"))
    back = HOME if job is None else f"/ui/jobs/{job.id}"
    offered = actions(job, visit.theme or "system", back, can_write=visit.can("write"), can_run=visit.can("run"))
    named = [(text(entry.text, name=entry.name), entry) for entry in offered]
    acts = [(label, entry) for label, entry in named if wanted.lower() in label.lower()]
    known = [
        (text(f"nav.{name}"), path)
        for name, path, scope in (*navigation.MAIN, *navigation.MORE)
        if visit.can(scope) and wanted.lower() in text(f"nav.{name}").lower()
    ]
    found = [*await _runs(visit), *await _jobs(visit, wanted)]
    guides = await asyncio.to_thread(search, wanted, SHOWN) if wanted else []
    return visit.show(
        "jump.html",
        wanted=wanted,
        job=job,
        first=found if wanted else known,
        acts=acts,
        last=known if wanted else [],
        guides=guides,
    )


@pages.get("/keyboard")
async def show_keys(visit: Visit) -> Response:
    """List the keys."""
    return visit.show("keyboard.html", keys=KEYS)


async def _jobs(visit: Visit, wanted: str) -> list[tuple[str, str]]:
    if not wanted:
        return []
    page = Page(size=SHOWN, count=Count.NONE)
    jobs = await visit.service.jobs.page(visit.caller, JobFilter(q=wanted, sort="-id"), page)
    return [(job.name, f"/ui/jobs/{job.id}") for job in jobs.items]


async def _runs(visit: Visit) -> list[tuple[str, str]]:
    run_id = whole(visit.request.query_params, "q")
    if run_id is None:
        return []
    try:
        await visit.service.runs.get(visit.caller, run_id, has_log=False)
    except NotFoundError:
        return []
    return [(text("runs.run", id=run_id), f"/ui/runs/{run_id}")]
