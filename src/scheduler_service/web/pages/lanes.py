"""Lanes: when runs waited and executed in the last hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.domain.listing import Count, Page, RunFilter
from scheduler_service.domain.records import Run
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.lanes import lanes
from scheduler_service.web.visit import Visit

pages = Pages()
LANE_HOURS, LANE_RUNS, LANE_PAGE = (1, 3, 6), 1000, 100


@pages.get("/ledger/lanes")
async def show_lanes(visit: Visit) -> Response:
    """Show when runs waited and executed in the last hours."""
    hours = whole(visit.request.query_params, "hours") or LANE_HOURS[0]
    hours = hours if hours in LANE_HOURS else LANE_HOURS[0]
    now = datetime.now(UTC)
    begin = now - timedelta(hours=hours)
    runs = await _runs_since(visit, begin)
    return visit.show(
        "ledger_lanes.html",
        hours=hours,
        all_hours=LANE_HOURS,
        begin=begin,
        end=now,
        lanes=lanes(runs, begin, now, now),
        is_cut=len(runs) >= LANE_RUNS,
        zone=visit.zone.key,
    )


async def _runs_since(visit: Visit, begin: datetime) -> list[tuple[Run, str]]:
    found: list[tuple[Run, str]] = []
    page = Page(size=LANE_PAGE, count=Count.NONE)
    while len(found) < LANE_RUNS:
        listing = await visit.service.runs.page(visit.caller, RunFilter(since=begin), page, has_logs=False)
        found += [(view.run, view.job_name) for view in listing.items]
        if listing.next is None:
            break
        page = Page(size=LANE_PAGE, count=Count.NONE, cursor=listing.next)
    return found
