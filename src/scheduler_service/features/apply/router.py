"""The routes of jobs as files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query

from scheduler_service.errors import ConflictError, PreconditionFailedError
from scheduler_service.features.apply import examples
from scheduler_service.features.apply.definition import ApplyRequest, SelectedOwner, SelectedTag
from scheduler_service.features.apply.exporting import ExportService
from scheduler_service.features.apply.job_schema import PATH, job_schema
from scheduler_service.features.apply.records import Selector
from scheduler_service.features.apply.schemas import JobExport, PlanOut
from scheduler_service.features.apply.service import ApplyService
from scheduler_service.features.dependencies import provide
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute, PublicRoute

APPLY = "/api/v1/jobs/apply"
EXPORT = "/api/v1/jobs/export"

router = APIRouter(tags=["apply"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])
schema_router = APIRouter(route_class=PublicRoute)

Applies = Annotated[ApplyService, Depends(provide(ApplyService))]
Exports = Annotated[ExportService, Depends(provide(ExportService))]
Request = Annotated[ApplyRequest, Body(openapi_examples={"plan": {"summary": "A dry run", "value": examples.REQUEST}})]


@router.post(
    APPLY,
    operation_id="applyJobs",
    summary="Plan or apply a set of jobs",
    responses={
        200: answer("The plan.", examples.PLAN),
        **refusals(ConflictError, PreconditionFailedError, takes_body=True),
    },
)
async def apply_jobs(request: Request, applies: Applies, caller: CurrentCaller) -> PlanOut:
    """Create the jobs that do not exist, change those that differ, and delete those that `prune` selects.

    All changes are one transaction. `errors` names every wrong field of every document. A field that a document leaves
    out gets its default; only `enabled` stays as it is.
    """
    prune = None if request.prune is None else request.prune.selector()
    if request.dry_run:
        return PlanOut.of(await applies.plan(caller, request.documents, prune), applied=False)
    plan = await applies.apply(caller, request.documents, prune, request.plan_id)
    return PlanOut.of(plan, applied=True)


@router.get(
    EXPORT,
    operation_id="exportJobs",
    summary="Export jobs as documents",
    responses={200: answer("The documents.", {"documents": [examples.DOCUMENT]}), **refusals(ConflictError)},
)
async def export_jobs(
    exports: Exports,
    caller: CurrentCaller,
    tag: Annotated[SelectedTag | None, Query(description="Only jobs with this tag, up to 64 characters.")] = None,
    owner_id: Annotated[SelectedOwner | None, Query(description="Only jobs of this owner, to 128 characters.")] = None,
) -> JobExport:
    """Return up to 5,000 jobs as documents that `POST /jobs/apply` accepts without a change."""
    return JobExport(documents=await exports.export(caller, Selector(tag, owner_id)))


# Without a key, because editors cannot send one, and left out of the API's documentation, which has the same models.
@schema_router.get(PATH, include_in_schema=False)
async def get_job_schema() -> dict[str, Any]:
    """Return the JSON Schema of job files."""
    return job_schema()
