"""The ledger: what became of every instant, as a heat map, as lanes and as a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.domain.hours import HOUR, hour_of
from scheduler_service.domain.listing import Count, Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Trigger
from scheduler_service.features.ledger.cells import LedgerWindow
from scheduler_service.features.ledger.windows import LedgerWindowService
from scheduler_service.web.queries import instant, whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.cells import Counts
from scheduler_service.web.views.heat import heat_map
from scheduler_service.web.views.lanes import lanes
from scheduler_service.web.visit import Visit

pages = Pages()
DAYS = (7, 14, 30)
LANE_HOURS, LANE_RUNS, LANE_PAGE = (1, 3, 6), 1000, 100
ROWS_OF_CELL = 20


@pages.get("/ledger")
async def show_ledger(visit: Visit) -> Response:
    """Show the ledger of all jobs, or of one."""
    job = await _job(visit)
    zone, days = visit.zone, _days(visit)
    until = instant(visit.request.query_params, "until")
    end = hour_of(until or datetime.now(UTC) + timedelta(days=1))
    service = visit.feature(LedgerWindowService)
    period = service.period(end - timedelta(days=days), end, "hour")
    owner = visit.query.get("owner") or None
    if job is None:
        window = await service.of_all(visit.caller, owner, period, "hour", zone)
    else:
        window = await service.of_job(visit.caller, job.id, period, "hour", zone)
    cells = {cell.at: Counts(cell.by_status, cell.planned) for cell in window.cells}
    return visit.show(
        "ledger.html",
        job=job,
        owner=None if job else owner,
        zone=zone.key,
        days=days,
        all_days=DAYS,
        until=None if until is None else end,
        earlier=end - timedelta(days=days),
        later=end + timedelta(days=days),
        window=window,
        heat=heat_map(period.begin, period.end, zone, cells, _owed(window)),
        table=[(at, counts.words) for at, counts in sorted(cells.items(), reverse=True)],
        hour=HOUR,
    )


@pages.get("/jobs/{job_id:int}/ledger")
async def show_ledger_of_job(visit: Visit) -> Response:
    """Lead to the ledger of a job."""
    return visit.redirect(f"/ui/ledger?job={visit.path_id('job_id')}")


@pages.get("/ledger/cell")
async def show_cell(visit: Visit) -> Response:
    """Show the instants of one hour. Of one job, they include missed ones whose row begins before."""
    job, begin = await _job(visit), hour_of(instant(visit.request.query_params, "at") or datetime.now(UTC))
    owner = visit.query.get("owner") or None
    job_id = None if job is None else job.id
    filters = RunFilter(job_id, owner, trigger=Trigger.SCHEDULE, since=begin, until=begin + HOUR)
    page, now = Page(size=ROWS_OF_CELL, count=Count.CAPPED), datetime.now(UTC)
    listing = await visit.service.runs.page(visit.caller, filters, page, has_logs=False)
    rows = [(view.run, view.job_name) for view in listing.items]
    if job is not None and (early := await visit.feature(LedgerWindowService).range_into(visit.caller, job.id, begin)):
        rows.append((early, job.name))
    return visit.show(
        "ledger_cell.html",
        job=job,
        owner=owner,
        begin=begin,
        end=begin + HOUR,
        backfill_to=min(begin + HOUR, now) - timedelta.resolution if begin < now else None,
        zone=visit.zone,
        rows=rows,
        total=listing.total,
    )


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


async def _job(visit: Visit) -> Job | None:
    job_id = whole(visit.request.query_params, "job")
    return None if job_id is None else await visit.service.jobs.get(visit.caller, job_id)


def _days(visit: Visit) -> int:
    days = whole(visit.request.query_params, "days")
    return days if days in DAYS else DAYS[0]


def _owed(window: LedgerWindow) -> Callable[[datetime], bool]:
    """Return whether any instant of an hour could be owed: its schedule was in force for a part of it."""
    return lambda at: not any(each.begin <= at and at + HOUR <= each.end for each in window.not_owed)
