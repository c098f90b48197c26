"""The routes of the ledger of a window."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from scheduler_service.domain.schedules.zone import load_zone
from scheduler_service.errors import NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.ledger import examples
from scheduler_service.features.ledger.cells import Bucket
from scheduler_service.features.ledger.window_schemas import LedgerWindowOut
from scheduler_service.features.ledger.windows import LedgerWindowService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import JobId, OwnerQuery
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.input_models import Input
from scheduler_service.services.instants import Instant

router = APIRouter(prefix="/api/v1", tags=["ledger"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

Windows = Annotated[LedgerWindowService, Depends(provide(LedgerWindowService))]


class WindowQuery(Input):
    """The window and its cells."""

    since: Annotated[
        Instant | None,
        Field(alias="from", description="Beginning, within the retention time. Default: seven days before `to`."),
    ] = None
    until: Annotated[Instant | None, Field(alias="to", description="End, excluded. Default: now.")] = None
    bucket: Annotated[Bucket, Field(description="What a cell covers: an `hour` or a `day`. Default `hour`.")] = "hour"
    timezone: Annotated[
        str, Field(max_length=64, description="IANA zone whose days are counted with `bucket=day`. Default UTC.")
    ] = "UTC"


class AllWindowQuery(WindowQuery):
    """The window, its cells, and the jobs."""

    owner_id: Annotated[
        OwnerQuery | None, Field(description="Only instants of jobs of this owner, up to 128 characters.")
    ] = None


@router.get(
    "/ledger",
    operation_id="getLedger",
    summary="Get what became of all instants of a window",
    responses={200: answer("The cells of the window.", examples.WINDOW), **refusals()},
)
async def get_ledger(
    query: Annotated[AllWindowQuery, Query()], windows: Windows, caller: CurrentCaller
) -> LedgerWindowOut:
    """The instants of all jobs by hour or day. Rows that stand for a range are divided evenly among its hours.

    `planned` counts the next instant of each job, up to 10,000.
    """
    period = windows.period(query.since, query.until, query.bucket)
    zone = load_zone(query.timezone)
    return LedgerWindowOut.of(await windows.of_all(caller, query.owner_id, period, query.bucket, zone))


@router.get(
    "/jobs/{job_id}/ledger",
    operation_id="getJobLedger",
    summary="Get what became of the instants of a job",
    responses={200: answer("The cells of the window.", examples.WINDOW), **refusals(NotFoundError)},
)
async def get_job_ledger(
    job_id: JobId, query: Annotated[WindowQuery, Query()], windows: Windows, caller: CurrentCaller
) -> LedgerWindowOut:
    """The instants of a job by hour or day, those that are still to come, and when its schedule was not in force.

    Works for deleted jobs as long as their history is retained.
    """
    period = windows.period(query.since, query.until, query.bucket)
    zone = load_zone(query.timezone)
    return LedgerWindowOut.of(await windows.of_job(caller, job_id, period, query.bucket, zone))
