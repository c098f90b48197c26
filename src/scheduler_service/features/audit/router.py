"""The route of the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from scheduler_service.features.audit import examples
from scheduler_service.features.audit.schemas import AuditPage, AuditQuery
from scheduler_service.features.audit.service import AuditService
from scheduler_service.features.dependencies import provide
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/audit", tags=["audit"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

Trail = Annotated[AuditService, Depends(provide(AuditService))]


@router.get(
    "",
    operation_id="listAuditEntries",
    summary="List what was changed, and by whom",
    responses={200: answer("A page.", {"entries": [examples.ENTRY], "next": None}), **refusals()},
)
async def list_entries(query: Annotated[AuditQuery, Query()], trail: Trail, caller: CurrentCaller) -> AuditPage:
    """List operations and refused attempts, the newest first. Needs the scope `admin`."""
    return AuditPage.of(await trail.page(caller, query.filters(), query.size + 1), query.size)
