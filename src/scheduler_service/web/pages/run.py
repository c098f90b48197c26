"""The page of a run: what happened, with its log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.responses import JSONResponse, Response, StreamingResponse

from scheduler_service.brokers.message import task_id
from scheduler_service.domain.records import Attempt
from scheduler_service.domain.run_state import ACTIVE, Reason, RunStatus
from scheduler_service.features.artifacts.service import ArtifactService
from scheduler_service.web.lookups import find_job
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.site import Site
from scheduler_service.web.texts import text
from scheduler_service.web.views.log import log_lines
from scheduler_service.web.views.remedies import backfill_link, remedies_of_run
from scheduler_service.web.views.run import TRACEBACK_LINES, raised_by, run_page
from scheduler_service.web.visit import Visit

pages = Pages()
SHOWN_LINES = 2000
MAX_MATCHES = 200
STARTED = (*ACTIVE, RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED)
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@pages.get("/runs/{run_id:int}")
async def show_run(visit: Visit) -> Response:
    """Show a run, the end of its log, and what it left."""
    run_id = visit.path_id("run_id")
    detail = await visit.service.runs.get(visit.caller, run_id, has_log=False)
    first = whole(visit.request.query_params, "from_line") or -SHOWN_LINES
    # A script that follows the run takes the parts around the log, and asks for new lines itself. The end of the log
    # tells the exception.
    wanted = (-TRACEBACK_LINES, TRACEBACK_LINES) if visit.is_fragment else (first, SHOWN_LINES)
    part = await visit.service.logs.lines(visit.caller, run_id, *wanted)
    run, job = detail.view.run, await find_job(visit, detail.view.run.job_id)
    is_at_end = part.next_offset >= run.log_bytes
    neighbours = {
        name: await visit.service.run_listing.neighbour(visit.caller, run_id, is_next=name == "next")
        for name in ("previous", "next")
    }
    cause = None
    if run.reason is Reason.OVERLAP:
        cause = await visit.service.run_listing.neighbour(visit.caller, run_id, STARTED)
    return visit.show(
        "run.html",
        remedies=remedies_of_run(run) if job else (),
        cause=cause,
        neighbours=neighbours,
        raised=raised_by(run, job, part.data) if is_at_end else None,
        backfill=backfill_link(run),
        run=run_page(run, detail.attempts, datetime.now(UTC)),
        record=run,
        job_name=detail.view.job_name,
        job=job,
        expected=detail.view.expected_seconds,
        lines=()
        if visit.is_fragment
        else log_lines(part.data, part.first_line, part.next_offset - len(part.data), detail.attempts),
        part=part,
        pictures=PICTURES,
        flower_tasks=_flower_tasks(visit.site, detail.attempts),
        artifacts=await visit.feature(ArtifactService).of_run(visit.caller, run_id),
    )


@pages.get("/runs/{run_id:int}/lines")
async def read_lines(visit: Visit) -> Response:
    """Return lines of the log as pairs of text and class, for scripts."""
    run_id, from_line = visit.path_id("run_id"), whole(visit.request.query_params, "from") or 1
    detail = await visit.service.runs.get(visit.caller, run_id, has_log=False)
    part = await visit.service.logs.lines(visit.caller, run_id, from_line, SHOWN_LINES)
    lines = log_lines(part.data, part.first_line, part.next_offset - len(part.data), detail.attempts)
    return JSONResponse(
        {
            "lines": [[line.number, line.attempt, None if line.is_heading else line.pieces] for line in lines],
            "next": part.next_line,
            "more": part.next_offset < detail.view.run.log_bytes,
        }
    )


@pages.get("/runs/{run_id:int}/search")
async def search_log(visit: Visit) -> Response:
    """Return the numbers and texts of the lines that contain a text."""
    query = visit.request.query_params
    wanted, from_line = query.get("q", "")[:200], whole(query, "from") or 1
    if not wanted:
        await visit.service.runs.get(visit.caller, visit.path_id("run_id"), has_log=False)
        return JSONResponse({"matches": [], "next": None})
    found = await visit.service.logs.search(visit.caller, visit.path_id("run_id"), wanted, from_line, MAX_MATCHES)
    matches = [[match.line, match.text] for match in found.matches]
    return JSONResponse({"matches": matches, "next": found.next_line})


@pages.get("/runs/{run_id:int}/log.txt")
async def download_log(visit: Visit) -> Response:
    """Return the whole log as text: to save it, or with `raw` to read it in the browser."""
    run_id = visit.path_id("run_id")
    end = (await visit.service.runs.get(visit.caller, run_id, has_log=False)).view.run.log_bytes
    pieces = visit.service.runs.read_pieces(visit.caller, run_id, 0, end)
    kind = "inline" if "raw" in visit.query else "attachment"
    headers = {"Content-Disposition": f'{kind}; filename="run-{run_id}.log"'}
    return StreamingResponse(pieces, media_type="text/plain; charset=utf-8", headers=headers)


@pages.get("/runs/{run_id:int}/artifacts/{name:path}")
async def download_artifact(visit: Visit) -> Response:
    """Return a file that the run left: to save it, or if it is a picture also to show it."""
    service, name = visit.feature(ArtifactService), visit.request.path_params["name"]
    artifact = await service.get(visit.caller, visit.path_id("run_id"), name)
    chunks = await service.read(artifact, 0, artifact.size)
    if "show" in visit.query and artifact.media_type in PICTURES:
        return StreamingResponse(chunks, media_type=artifact.media_type)
    # Saved, never shown, because its content is of the job.
    file_name = quote(name.rpartition("/")[2], safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{file_name}"}
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@pages.get("/runs/{run_id:int}/previous")
async def show_previous(visit: Visit) -> Response:
    """Lead to the run of the same job before this one."""
    return await _neighbour(visit, is_next=False)


@pages.get("/runs/{run_id:int}/next")
async def show_next(visit: Visit) -> Response:
    """Lead to the run of the same job after this one."""
    return await _neighbour(visit, is_next=True)


def _flower_tasks(site: Site, attempts: Sequence[Attempt]) -> list[tuple[int, str]]:
    """Return the number of each attempt and the address of its task in Flower, if Flower's address is set."""
    if site.flower_url is None:
        return []
    return [(each.attempt, f"{site.flower_url}/task/{task_id(each.run_id, each.attempt - 1)}") for each in attempts]


async def _neighbour(visit: Visit, *, is_next: bool) -> Response:
    run_id = visit.path_id("run_id")
    found = await visit.service.run_listing.neighbour(visit.caller, run_id, is_next=is_next)
    notice = None if found is not None else text("run.no_next" if is_next else "run.no_previous")
    return visit.redirect(f"/ui/runs/{found or run_id}", notice)
