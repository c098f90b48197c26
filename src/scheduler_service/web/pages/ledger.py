"""The ledger: what became of every instant, as a map of instants, hours or days, and as a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.responses import Response

from scheduler_service.domain.hours import HOUR
from scheduler_service.domain.records import Job
from scheduler_service.features.ledger.cells import Bucket, LedgerWindow, Period
from scheduler_service.features.ledger.instants import LedgerInstants
from scheduler_service.features.ledger.windows import LedgerWindowService
from scheduler_service.web.queries import instant, whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.cells import Counts
from scheduler_service.web.views.curl import path_of_ledger
from scheduler_service.web.views.day_map import day_map
from scheduler_service.web.views.grid import Grid
from scheduler_service.web.views.heat import heat_map
from scheduler_service.web.views.instant_map import DrawnInstant, instant_map
from scheduler_service.web.views.ledger_span import (
    DAYS,
    DEFAULT_WINDOW,
    DENSITIES,
    INSTANTS,
    MAX_CELLS,
    WINDOWS,
    choose,
    span_of,
)
from scheduler_service.web.visit import Visit

pages = Pages()
LEAST_PLANNED = 4
"""One cell of so many is left for instants that are to come."""


@pages.get("/ledger")
async def show_ledger(visit: Visit) -> Response:
    """Show the ledger of all jobs, or of one."""
    job, zone, now = await _job(visit), visit.zone, datetime.now(UTC)
    owner = None if job else visit.query.get("owner") or None
    until = instant(visit.request.query_params, "until")
    service = visit.feature(LedgerWindowService)
    length = visit.query.get("window", DEFAULT_WINDOW)
    length = length if length in WINDOWS else DEFAULT_WINDOW
    begin, end = span_of(length, until, now, zone)
    hours = (end - max(begin, now - service.kept)) // HOUR
    bucket: Bucket = "day" if hours > MAX_CELLS else "hour"
    window = await _window(visit, job, owner, service.period(begin, end, bucket), bucket)
    period = window.period
    chosen = choose(
        visit.query.get("by"),
        (period.end - period.begin) // HOUR,
        window.instants() + window.planned,
        of_job=job is not None,
    )
    if chosen.by == DAYS and bucket != "day":
        window = await _window(visit, job, owner, period, "day")
    instants = await _instants(visit, job, owner, period) if chosen.by == INSTANTS else None
    return visit.show(
        "ledger.html",
        job=job,
        owner=owner,
        zone=zone.key,
        written_zone=visit.written_zone,
        length=length,
        lengths=[name for name, each in WINDOWS.items() if each <= max(service.kept, WINDOWS[DEFAULT_WINDOW])],
        until=None if until is None else end,
        earlier=begin,
        later=end + (end - begin),
        window=window,
        chosen=chosen,
        densities=DENSITIES,
        grid=_grid(visit, window, chosen.by, instants, now),
        instants=instants,
        cells=[(cell.at, Counts(cell.by_status, cell.planned).words) for cell in reversed(window.cells)],
        limit=MAX_CELLS,
        api_path=path_of_ledger(
            None if job is None else job.id,
            owner,
            (period.begin, period.end),
            "day" if chosen.by == DAYS else "hour",
            zone.key,
        ),
    )


@pages.get("/jobs/{job_id:int}/ledger")
async def show_ledger_of_job(visit: Visit) -> Response:
    """Lead to the ledger of a job."""
    return visit.redirect(f"/ui/ledger?job={visit.path_id('job_id')}")


def _grid(visit: Visit, window: LedgerWindow, by: str, instants: LedgerInstants | None, now: datetime) -> Grid:
    if instants is not None:
        return instant_map(_drawn(instants, is_of_job="job" in visit.query), visit.zone, now, MAX_CELLS)
    draw = day_map if by == DAYS else heat_map
    cells = {cell.at: Counts(cell.by_status, cell.planned) for cell in window.cells}
    return draw(window.period.begin, window.period.end, visit.zone, cells, now, _owed(window))


def _drawn(instants: LedgerInstants, *, is_of_job: bool) -> list[DrawnInstant]:
    """Return what is drawn: rows, planned instants, and when nothing was owed after the oldest of them."""
    drawn = [
        DrawnInstant(row.at, row.status, row.missed_count or 1, row.reason, None if is_of_job else row.job_name)
        for row in instants.rows
    ]
    # What became of instants matters more than how many are to come: each has its row, or most of the map.
    planned = instants.planned[: max(MAX_CELLS - len(drawn), MAX_CELLS // LEAST_PLANNED)]
    drawn += [DrawnInstant(each.at, job_name=None if is_of_job else each.job_name) for each in planned]
    oldest = min((each.at for each in drawn), default=None) if instants.is_cut else None
    gaps = [each for each in instants.not_owed if oldest is None or each.begin > oldest]
    return drawn + [DrawnInstant(each.begin, gap_until=each.end) for each in gaps]


async def _window(visit: Visit, job: Job | None, owner: str | None, period: Period, bucket: Bucket) -> LedgerWindow:
    service = visit.feature(LedgerWindowService)
    if job is None:
        return await service.of_all(visit.caller, owner, period, bucket, visit.zone)
    return await service.of_job(visit.caller, job.id, period, bucket, visit.zone)


async def _instants(visit: Visit, job: Job | None, owner: str | None, period: Period) -> LedgerInstants:
    service = visit.feature(LedgerWindowService)
    if job is None:
        return await service.instants_of_all(visit.caller, owner, period, MAX_CELLS)
    return await service.instants_of_job(visit.caller, job.id, period, MAX_CELLS)


async def _job(visit: Visit) -> Job | None:
    job_id = whole(visit.request.query_params, "job")
    return None if job_id is None else await visit.service.jobs.get(visit.caller, job_id)


def _owed(window: LedgerWindow) -> Callable[[datetime, datetime], bool]:
    """Return whether any instant between two could be owed: its schedule was in force for a part of that time."""
    return lambda begin, end: not any(each.begin <= begin and end <= each.end for each in window.not_owed)
