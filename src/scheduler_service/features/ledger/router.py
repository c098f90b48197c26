"""The route of the check of the ledger."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from scheduler_service.features.dependencies import provide
from scheduler_service.features.ledger import examples
from scheduler_service.features.ledger.schemas import LedgerCheckOut
from scheduler_service.features.ledger.service import LedgerService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import Id
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.input_models import Input
from scheduler_service.services.instants import Instant

router = APIRouter(
    prefix="/api/v1/ledger", tags=["ledger"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

Ledger = Annotated[LedgerService, Depends(provide(LedgerService))]


class CheckQuery(Input):
    """What is checked."""

    job_id: Annotated[Id | None, Field(description="Check only this job. Default: all.")] = None
    since: Annotated[
        Instant | None,
        Field(description="Check instants from here on, within the retention time. Default: one day ago."),
    ] = None


@router.get(
    "/check",
    operation_id="checkLedger",
    summary="Check that every owed instant has a row",
    responses={200: answer("What was compared, and what differs.", examples.CHECK), **refusals()},
)
async def check_ledger(query: Annotated[CheckQuery, Query()], ledger: Ledger, caller: CurrentCaller) -> LedgerCheckOut:
    """Recompute the instants that schedules owed, and compare them with the rows of the ledger."""
    return LedgerCheckOut.of(await ledger.check(caller, query.job_id, query.since))
