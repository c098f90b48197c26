"""A cell of the ledger: its instants, each with its outcome, its reason, and what helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.domain.hours import HOUR, hour_of
from scheduler_service.domain.records import Job
from scheduler_service.features.ledger.cells import Period
from scheduler_service.features.ledger.instants import InstantRow
from scheduler_service.features.ledger.windows import LedgerWindowService
from scheduler_service.web.queries import instant, whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.remedies import NOT_RUN, backfill_path
from scheduler_service.web.views.status import PLANNED
from scheduler_service.web.visit import Visit

pages = Pages()
SHOWN = 20


@pages.get("/ledger/cell")
async def show_cell(visit: Visit) -> Response:
    """Show the instants of an hour, or of the time up to `to`. Of one job, they include rows that begin before it."""
    query, now = visit.request.query_params, datetime.now(UTC)
    job_id, owner = whole(query, "job"), visit.query.get("owner") or None
    job = None if job_id is None else await visit.service.jobs.get(visit.caller, job_id)
    at, to = instant(query, "at"), instant(query, "to")
    begin = hour_of(at or now) if at is None or to is None else at
    end = begin + HOUR if at is None or to is None else max(to, begin + timedelta.resolution)
    service, period = visit.feature(LedgerWindowService), Period(begin, end)
    if job is None:
        found = await service.instants_of_all(visit.caller, owner, period, SHOWN)
        early = None
    else:
        found = await service.instants_of_job(visit.caller, job.id, period, SHOWN)
        early = await _range_into(visit, job, begin)
    rows = (*([early] if early else []), *found.rows)
    can_backfill = visit.can("run") and (job is None or job.schedule_expr is not None)
    return visit.show(
        "ledger_cell.html",
        job=job,
        owner=owner,
        begin=begin,
        end=end,
        is_instant=to is not None and to <= begin,
        backfill_to=min(end, now) - timedelta.resolution if job and can_backfill and begin < now else None,
        zone=visit.zone,
        rows=rows,
        backfills={
            row.run_id: backfill_path(row.job_id, row.at, row.missed_until)
            for row in rows
            if can_backfill and row.status in NOT_RUN
        },
        planned=found.planned,
        planned_status=PLANNED,
        not_owed=found.not_owed,
        is_cut=found.is_cut,
    )


async def _range_into(visit: Visit, job: Job, begin: datetime) -> InstantRow | None:
    """Return the row of missed instants that begins before an instant and reaches it, or None."""
    run = await visit.feature(LedgerWindowService).range_into(visit.caller, job.id, begin)
    if run is None:
        return None
    return InstantRow(
        run.id, job.id, job.name, run.scheduled_for, run.status, run.reason, run.missed_until, run.missed_count
    )
