"""Comparing a run with another one of its job: figures, definitions and logs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import NotFoundError
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.changes import Change, changes_in
from scheduler_service.web.views.comparison import figures, plain_lines
from scheduler_service.web.views.line_diff import LineDiff, line_diff
from scheduler_service.web.visit import Visit

pages = Pages()
LINES = 5000
OFFERED = {
    "previous": (RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED),
    "good": (RunStatus.SUCCESS,),
}


@dataclass(frozen=True, slots=True)
class Logs:
    """The difference of two logs, and whether one of them has more lines than were compared."""

    diff: LineDiff
    is_cut: bool


@pages.get("/runs/{run_id:int}/compare")
async def show_comparison(visit: Visit) -> Response:
    """Compare a run with the run that `with` names, with the last good run before it, or with the previous one."""
    after = (await visit.service.runs.get(visit.caller, visit.path_id("run_id"), has_log=False)).view
    find = visit.service.run_listing.neighbour
    offered = {name: await find(visit.caller, after.run.id, statuses) for name, statuses in OFFERED.items()}
    chosen = whole(visit.request.query_params, "with") or offered.get(visit.query.get("with", ""))
    chosen = chosen or offered["previous"]
    before = None if chosen is None else await _of_the_same_job(visit, chosen, after.run)
    context: dict[str, Any] = {} if before is None else await _compared(visit, before, after.run)
    context |= {"after": after.run, "job_name": after.job_name, "before": before}
    return visit.show("compare.html", offered=offered, **context)


async def _compared(visit: Visit, before: Run, after: Run) -> dict[str, Any]:
    return {
        "figures": figures(before, after, datetime.now(UTC)),
        "changes": await _changes(visit, before, after),
        "logs": await _logs(visit, before, after),
        "lines": LINES,
    }


async def _of_the_same_job(visit: Visit, run_id: int, run: Run) -> Run:
    found = (await visit.service.runs.get(visit.caller, run_id, has_log=False)).view.run
    if found.job_id != run.job_id:
        raise NotFoundError(text("compare.other_job", id=run_id))
    return found


async def _changes(visit: Visit, before: Run, after: Run) -> tuple[Change, ...] | None:
    """Return what differs in the definitions that the runs had, or None if they are not known any more."""
    if before.job_version is None or after.job_version is None:
        return None
    if before.job_version == after.job_version:
        return ()
    versions = before.job_version, after.job_version
    try:
        differences = await visit.service.versions.changes(visit.caller, after.job_id, *versions)
    except NotFoundError:
        return None
    return await asyncio.to_thread(changes_in, differences)


async def _logs(visit: Visit, before: Run, after: Run) -> Logs:
    parts = [await visit.service.logs.lines(visit.caller, run.id, 1, LINES) for run in (before, after)]
    diff = await asyncio.to_thread(line_diff, *(plain_lines(part.data) for part in parts))
    is_cut = any(part.next_offset < run.log_bytes for part, run in zip(parts, (before, after), strict=True))
    return Logs(diff, is_cut)
