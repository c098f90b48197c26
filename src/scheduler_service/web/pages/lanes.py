"""Lanes: when runs waited and executed in the last hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.features.ledger.lanes import LaneService
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.lanes import MAX_LANES, lanes, ticks
from scheduler_service.web.visit import Visit

pages = Pages()
HOURS, MAX_RUNS = (1, 3, 6), 1000


@pages.get("/ledger/lanes")
async def show_lanes(visit: Visit) -> Response:
    """Show when runs waited and executed in the last hours, of all jobs or of one."""
    hours = whole(visit.request.query_params, "hours") or HOURS[0]
    hours = hours if hours in HOURS else HOURS[0]
    job_id = whole(visit.request.query_params, "job")
    job = None if job_id is None else await visit.service.jobs.get(visit.caller, job_id)
    now = datetime.now(UTC)
    begin = now - timedelta(hours=hours)
    runs = await visit.feature(LaneService).since(visit.caller, begin, MAX_RUNS, job_id)
    drawn = lanes(runs, begin, now)
    return visit.show(
        "ledger_lanes.html",
        job=job,
        hours=hours,
        all_hours=HOURS,
        begin=begin,
        end=now,
        lanes=drawn,
        ticks=ticks(begin, now, hours, visit.zone),
        is_cut=len(runs) >= MAX_RUNS,
        is_busiest=len(drawn) == MAX_LANES,
        max_lanes=MAX_LANES,
        zone=visit.zone.key,
    )
