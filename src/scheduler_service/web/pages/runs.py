"""The list of runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.domain.listing import MAX_COUNTED, Count, Page, RunFilter
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.http.cursors import read_cursor, write_cursor
from scheduler_service.web.empty_lists import RUN_FILTERS, Excluding, widest
from scheduler_service.web.lookups import find_job
from scheduler_service.web.queries import choice, choices, instant, whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.curl import path_of_runs
from scheduler_service.web.views.paging import PAGE_SIZE, pager, read_place
from scheduler_service.web.views.runs import run_row
from scheduler_service.web.visit import UP_TO, Visit

pages = Pages()
PRESETS = {
    "all": "",
    "active": "?status=running&status=queued&status=retrying",
    "failed_today": "?status=failed&within=24h",
    "missed": "?status=missed&status=skipped",
    "late": "?late=1",
}
WINDOWS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@pages.get("/runs")
async def show_runs(visit: Visit) -> Response:
    """Show a page of runs, newest first."""
    filters = _filters(visit)
    sort = "-scheduled_for" if filters.since or filters.until else "-id"
    place = read_place(visit.query)
    cursor = None if place.cursor is None else read_cursor(place.cursor, sort)
    page = Page(size=PAGE_SIZE, cursor=cursor, count=Count.CAPPED)
    listing = await visit.service.runs.page(visit.caller, filters, page, has_logs=False)
    # A page that updates itself keeps its rows: newer ones wait until somebody asks for them.
    shown_first = whole(visit.request.query_params, UP_TO)
    new = 0 if shown_first is None else sum(view.run.id > shown_first for view in listing.items)
    if new and shown_first is not None:
        page = replace(page, before_id=shown_first + 1)
        listing = await visit.service.runs.page(visit.caller, filters, page, has_logs=False)
    following = None if listing.next is None else write_cursor(listing.next, sort)
    now = datetime.now(UTC)
    rows = [run_row(view.run, view.job_name, now) for view in listing.items]
    job = await find_job(visit, filters.job_id)
    return visit.show(
        "runs.html",
        rows=rows,
        new=new,
        is_full_of_new=new == PAGE_SIZE,
        up_to=rows[0].id if rows and cursor is None and sort == "-id" else None,
        pager=pager(place, len(rows), listing.total, following, MAX_COUNTED),
        filters=filters,
        api_path=path_of_runs(filters),
        widest=None if rows else await _widest(visit, filters),
        is_filtered=filters != RunFilter(),
        presets=PRESETS,
        job=job,
        job_name=rows[0].job_name if rows and filters.job_id is not None else job.name if job else None,
        within=visit.query.get("within", ""),
        windows=tuple(WINDOWS),
        statuses=tuple(RunStatus),
        reasons=tuple(Reason),
        triggers=tuple(Trigger),
    )


async def _widest(visit: Visit, filters: RunFilter) -> Excluding | None:
    """Return the filter without which most runs would match."""

    async def count(others: RunFilter) -> int:
        page = Page(size=1, count=Count.CAPPED)
        return (await visit.service.runs.page(visit.caller, others, page, has_logs=False)).total or 0

    return await widest(RUN_FILTERS, filters, count, visit.query)


def _filters(visit: Visit) -> RunFilter:
    """Return the filters in the address. Unknown values count as none."""
    query = visit.request.query_params
    found = RunFilter(
        job_id=whole(query, "job"),
        owner_id=query.get("owner") or None,
        tag=query.get("tag") or None,
        trigger=choice(query, "trigger", Trigger),
        statuses=choices(query, "status", RunStatus),
        reason=choice(query, "reason", Reason),
        is_late=query.get("late") == "1",
        since=instant(query, "since"),
        until=instant(query, "until"),
    )
    window = WINDOWS.get(query.get("within", ""))
    return found if window is None else replace(found, since=datetime.now(UTC) - window)
