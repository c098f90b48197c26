"""The start page: is all well, and what needs somebody?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.listing import Count, JobFilter, Listing, Page, RunFilter
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.features.ledger.cells import Period
from scheduler_service.features.ledger.upcoming import UpcomingService
from scheduler_service.features.ledger.windows import LedgerWindowService
from scheduler_service.services.health import HealthStatus
from scheduler_service.services.runs import RunView
from scheduler_service.web.routes import Pages
from scheduler_service.web.views import home
from scheduler_service.web.views.cells import Counts
from scheduler_service.web.views.grid import Grid
from scheduler_service.web.views.heat import heat_map
from scheduler_service.web.views.ledger_span import whole_days
from scheduler_service.web.views.pace import pace
from scheduler_service.web.views.upcoming import upcoming
from scheduler_service.web.visit import Visit

pages = Pages()
SHOWN, NEWEST = 8, 50
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_ACTIVE = (RunStatus.RUNNING, RunStatus.RETRYING, RunStatus.QUEUED)


@pages.get("/")
async def show_home(visit: Visit) -> Response:
    """Show the health, the needs, and what runs now and next."""
    now, service, caller = datetime.now(UTC), visit.service, visit.caller
    page = Page(size=SHOWN, count=Count.CAPPED)
    failed = await service.jobs.page(caller, JobFilter(last_status=RunStatus.FAILED, sort="-id"), page)
    missed = await _runs(visit, RunFilter(statuses=(RunStatus.MISSED,), since=now - DAY), page)
    skipped = await _skipped(visit, now - DAY)
    newest = await service.runs.recent(caller, [*{job.id for job in failed.items} | skipped.keys()], NEWEST)
    active = await _runs(visit, RunFilter(statuses=_ACTIVE), page)
    minute = now.replace(second=0, microsecond=0)
    minutes = await visit.feature(UpcomingService).minutes(caller, Period(minute, minute + HOUR))
    stats = await service.stats.read(caller, HOUR)
    window, step = (HOUR, MINUTE) if stats.is_exact else (DAY, HOUR)
    chart = pace(await service.stats.series(caller, window, step), step)
    health = await service.health.recent()
    needs = [
        *home.failing(failed.items, newest),
        *home.missed([(view.run, view.job_name) for view in missed.items]),
        *home.skipping(skipped, newest, now - DAY),
    ]
    is_stuck = stats.standing.oldest_queued_seconds > home.STUCK_SECONDS
    return visit.show(
        "home.html",
        summary=home.summary(
            needs,
            failed.total or 0,
            is_well=health.status is HealthStatus.OK and not is_stuck,
            has_more_missed=missed.next is not None,
        ),
        health=health,
        stats=stats,
        pace=chart,
        pace_hours=window // HOUR,
        heat=await _week(visit, now),
        is_stuck=is_stuck,
        needs=needs,
        failed_more=(failed.total or 0) if failed.next is not None else None,
        missed_more=(missed.total or 0) if missed.next is not None else None,
        running=[home.running(view.run, view.job_name, view.expected_seconds, now) for view in active.items],
        active_total=active.total or 0,
        upcoming=upcoming(minutes, minute, stats.standing.slots),
        due_total=sum(each.jobs for each in minutes),
        due_before=iso8601(minute + HOUR),
        due=f"{iso8601(minute)}/{iso8601(minute + HOUR)}",
        has_jobs=bool(minutes or (await service.jobs.page(caller, JobFilter(), Page(size=1, count=Count.NONE))).items),
    )


async def _week(visit: Visit, now: datetime) -> Grid:
    """Return the map of the last seven days of the reader's zone, with the rest of today."""
    ledger, zone = visit.feature(LedgerWindowService), visit.zone
    today = now.astimezone(zone).date()
    period = ledger.period(*whole_days(today - 6 * DAY, today, zone), "hour")
    window = await ledger.of_all(visit.caller, None, period, "hour", zone)
    cells = {cell.at: Counts(cell.by_status, cell.planned) for cell in window.cells}
    return heat_map(period.begin, period.end, zone, cells, now)


async def _skipped(visit: Visit, since: datetime) -> dict[int, str]:
    """Return the names of up to SHOWN jobs of the newest skipped instants, by their ids."""
    page = Page(size=NEWEST, count=Count.NONE)
    rows = (await _runs(visit, RunFilter(statuses=(RunStatus.SKIPPED,), since=since), page)).items
    names = {view.run.job_id: view.job_name for view in rows if view.run.reason is not Reason.CALENDAR}
    return dict(list(names.items())[:SHOWN])


async def _runs(visit: Visit, filters: RunFilter, page: Page) -> Listing[RunView]:
    return await visit.service.runs.page(visit.caller, filters, page, has_logs=False)
