"""The list of jobs."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from scheduler_service.domain.listing import MAX_COUNTED, Count, JobFilter, Page, RunFilter
from scheduler_service.domain.run_state import TERMINAL, JobStatus, RunStatus
from scheduler_service.http.cursors import read_cursor, write_cursor
from scheduler_service.payloads import registry
from scheduler_service.web.empty_lists import JOB_FILTERS, Excluding, widest
from scheduler_service.web.lookups import sentence_of, upstream_names
from scheduler_service.web.queries import DUE, choice, due_range
from scheduler_service.web.routes import Pages
from scheduler_service.web.samples import is_sample
from scheduler_service.web.views.curl import path_of_jobs
from scheduler_service.web.views.jobs import job_row
from scheduler_service.web.views.paging import PAGE_SIZE, pager, read_place
from scheduler_service.web.views.status import status_of_run
from scheduler_service.web.visit import Visit

pages = Pages()
SORTS = ("name", "next_run_at", "updated_at", "id")
DEFAULT_SORT = "-id"
STRIP = 20
MAX_RUNNING = 200


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
    recent = await visit.service.runs.recent(visit.caller, [job.id for job in listing.items], STRIP)
    running, names = await _running(visit), await upstream_names(visit, listing.items)
    rows = [
        job_row(job, sentence_of(visit, job, names), recent.get(job.id, ()), running.get(job.id))
        for job in listing.items
    ]
    return visit.show(
        "jobs.html",
        rows=rows,
        has_samples=any(is_sample(job) for job in listing.items),
        pager=pager(place, len(rows), listing.total, following, MAX_COUNTED),
        filters=filters,
        api_path=path_of_jobs(filters),
        widest=None if rows else await _widest(visit, filters),
        is_filtered=filters != JobFilter(sort=filters.sort),
        can_select=visit.can("write") or visit.can("run"),
        running=status_of_run(RunStatus.RUNNING),
        states=tuple(JobStatus),
        results=tuple(sorted(TERMINAL)),
        types=tuple(registry.kinds()),
        due=visit.query.get("due", "") if filters.is_by_instant else "",
        windows=tuple(DUE),
    )


async def _running(visit: Visit) -> dict[int, int]:
    """Return the newest runs that execute now, by their jobs."""
    filters, page = RunFilter(statuses=(RunStatus.RUNNING,)), Page(size=MAX_RUNNING, count=Count.NONE)
    views = (await visit.service.runs.page(visit.caller, filters, page, has_logs=False)).items
    return {view.run.job_id: view.run.id for view in reversed(views)}


async def _widest(visit: Visit, filters: JobFilter) -> Excluding | None:
    """Return the filter without which most jobs would match."""

    async def count(others: JobFilter) -> int:
        return (await visit.service.jobs.page(visit.caller, others, Page(size=1, count=Count.CAPPED))).total or 0

    return await widest(JOB_FILTERS, filters, count, visit.query)


def _filters(visit: Visit) -> JobFilter:
    """Return the filters in the address. Unknown values count as none."""
    query = visit.request.query_params
    sort = query.get("sort", DEFAULT_SORT)
    due_since, due_before = due_range(query.get("due", ""), datetime.now(UTC))
    return JobFilter(
        owner_id=query.get("owner") or None,
        status=choice(query, "status", JobStatus),
        last_status=choice(query, "last", RunStatus),
        payload_type=query.get("type") or None,
        due_since=due_since,
        due_before=due_before,
        tag=query.get("tag") or None,
        q=query.get("q") or None,
        sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
    )
