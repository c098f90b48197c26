"""The list of jobs."""

from __future__ import annotations

from starlette.responses import Response

from scheduler_service.domain.listing import MAX_COUNTED, Count, JobFilter, Page
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.http.cursors import read_cursor, write_cursor
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.jobs import job_row
from scheduler_service.web.views.paging import PAGE_SIZE, pager, read_place
from scheduler_service.web.visit import Visit

pages = Pages()
SORTS = ("name", "next_run_at", "updated_at", "id")
DEFAULT_SORT = "-id"


@pages.get("/")
async def show_start(visit: Visit) -> Response:
    """Lead to the list of jobs."""
    return visit.redirect("/ui/jobs")


@pages.get("/jobs")
async def show_jobs(visit: Visit) -> Response:
    """Show a page of jobs."""
    filters = _filters(visit)
    place = read_place(visit.query)
    cursor = None if place.cursor is None else read_cursor(place.cursor, filters.sort)
    listing = await visit.service.jobs.page(
        visit.caller, filters, Page(size=PAGE_SIZE, cursor=cursor, count=Count.CAPPED)
    )
    following = None if listing.next is None else write_cursor(listing.next, filters.sort)
    rows = [job_row(job, visit.service.schedules.describe(job).sentence) for job in listing.items]
    return visit.show(
        "jobs.html",
        rows=rows,
        pager=pager(place, len(rows), listing.total, following, MAX_COUNTED),
        filters=filters,
        is_filtered=filters != JobFilter(sort=filters.sort),
        states=tuple(JobStatus),
    )


def _filters(visit: Visit) -> JobFilter:
    """Return the filters in the address. Unknown values count as none."""
    query = visit.query
    status, sort = query.get("status"), query.get("sort", DEFAULT_SORT)
    return JobFilter(
        owner_id=query.get("owner") or None,
        status=JobStatus(status) if status in set(JobStatus) else None,
        tag=query.get("tag") or None,
        q=query.get("q") or None,
        sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
    )
