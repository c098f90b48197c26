"""The endpoints of runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.run_documents import RunListDocument
from scheduler_service.api.schemas.queries import AllRunsQuery, RunQuery
from scheduler_service.api.schemas.runs import RunOut, RunPage, RunWhole, in_pieces
from scheduler_service.bootstrap import Service
from scheduler_service.domain.caller import Caller
from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Run
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.cursors import write_cursor
from scheduler_service.http.openapi_responses import LINK, RUN_LOCATION, answer, refusals
from scheduler_service.http.pagination_links import page_links
from scheduler_service.http.parameters import IdempotencyKey, RunId
from scheduler_service.http.quick_route import QuickRoute
from scheduler_service.http.route import JSON, KeyedRoute

RUNS = "/api/v1/runs"

router = APIRouter(prefix=RUNS, tags=["runs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])
collection_router = APIRouter(
    prefix=RUNS, tags=["runs"], route_class=QuickRoute, dependencies=[Depends(current_caller)]
)
"""The requests of `/runs` itself; see that of the jobs."""


@collection_router.get(
    "",
    operation_id="listRuns",
    summary="List runs",
    response_model=RunPage,
    responses={200: answer("One page of the list.", examples.RUN_PAGE, LINK), **refusals()},
)
async def list_runs(
    query: Annotated[AllRunsQuery, Query()],
    service: CurrentService,
    caller: CurrentCaller,
    request: Request,
) -> Response:
    """The runs of all jobs, newest first, with the end of each log (16 KiB). A run must match all filters.

    With `since` or `until`, the order is that of `scheduled_for`, otherwise that in which the runs were created.
    """
    page = query.paging()
    return await show_runs(query, query.filters(), page, service, caller, request)


@router.get(
    "/{run_id}",
    operation_id="getRun",
    summary="Get a run",
    response_model=RunWhole,
    responses={200: answer("The run, with all its attempts.", examples.RUN_WHOLE), **refusals(NotFoundError)},
)
async def get_run(run_id: RunId, service: CurrentService, caller: CurrentCaller) -> RunWhole | StreamingResponse:
    """With its complete retained log."""
    detail = await service.runs.get(caller, run_id)
    shown = RunWhole.of_detail(detail)
    if detail.is_whole:
        return shown
    rest = service.runs.read_pieces(caller, run_id, detail.next_offset, detail.view.run.log_bytes)
    return StreamingResponse(in_pieces(shown, rest), media_type="application/json")


@router.post(
    "/{run_id}/cancel",
    operation_id="cancelRun",
    summary="Cancel a run",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        202: answer("The run as it is now.", examples.QUEUED_RUN, RUN_LOCATION),
        **refusals(NotFoundError, ConflictError),
    },
)
async def cancel_run(run_id: RunId, service: CurrentService, caller: CurrentCaller, response: Response) -> RunOut:
    """A waiting run is cancelled at once. A running one is asked to stop, and killed if it does not."""
    return await show_run(await service.runs.cancel(caller, run_id), service, response)


@router.post(
    "/{run_id}/retry",
    operation_id="retryRun",
    summary="Retry an unsuccessful run",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        202: answer("The new run, queued.", examples.QUEUED_RUN, RUN_LOCATION),
        **refusals(NotFoundError, ConflictError),
    },
)
async def retry_run(
    run_id: RunId,
    service: CurrentService,
    caller: CurrentCaller,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RunOut:
    """Queue a new run for the same instant, with `retry_of`. The old run does not change.

    If the request is repeated with the same `Idempotency-Key`, it returns the first run and queues nothing.
    """
    run = await service.runs.retry(caller, run_id, idempotency_key=idempotency_key)
    return await show_run(run, service, response)


async def show_runs(
    query: RunQuery, filters: RunFilter, page: Page, service: Service, caller: Caller, request: Request
) -> Response:
    """Return a page of runs, with its links."""
    document = RunListDocument(request.app.state.run_parts)
    found = await service.run_listing.page(caller, filters, page, document.knows, has_logs=query.has_logs)
    listing = found.listing
    following = None if listing.next is None else write_cursor(listing.next, query.order)
    about = to_json({"total": listing.total, "page": page.number, "size": page.size})
    answered = Response(b'{"runs":' + document.show(found) + b"," + about[1:] + b"\n", media_type=JSON)
    answered.headers["Link"] = page_links(request, page, listing.total, following)
    return answered


async def show_run(run: Run, service: Service, response: Response) -> RunOut:
    """Return a run that was just queued or asked to stop, and set its location."""
    response.headers["Location"] = f"{RUNS}/{run.id}"
    return RunOut.of(await service.runs.view(run))
