"""The endpoint that validates a job without storing it."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.api.deps import CurrentService
from scheduler_service.api.routers.jobs import JOBS, Definition, shown_by
from scheduler_service.api.routers.schedules import InstantOut
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.features.grants.service import GrantService
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import Id
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.input_models import Input
from scheduler_service.services.job_validation import Validated

router = APIRouter(prefix=JOBS, tags=["jobs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

VALIDATION: dict[str, Any] = {
    "description": "Every 5 minutes",
    "warnings": [],
    "instants": [{"at": "2026-01-15T10:35:00Z", "local": "2026-01-15T10:35:00Z", "note": None, "calendar": None}],
    "instants_now": [{"at": "2026-01-15T10:40:00Z", "local": "2026-01-15T10:40:00Z", "note": None, "calendar": None}],
    "changes": [{"field": "schedule_expr", "before": "*/10 * * * *", "after": "*/5 * * * *"}],
    "fires_moved": True,
}


class ChangeOut(Answer):
    """A field of a job that a definition changes."""

    model_config = ConfigDict(title="Change")

    field: Annotated[str, Field(description="Name of the field.")]
    before: Annotated[JsonValue, Field(description="Its value now, with secrets as `***`.")]
    after: Annotated[JsonValue, Field(description="Its value with the definition, with secrets as `***`.")]


class ValidationOut(Answer):
    """What a definition would make, or would change in a job."""

    model_config = ConfigDict(title="Validation", json_schema_extra={"examples": [VALIDATION]})

    description: Annotated[str, Field(description="The schedule in English.")]
    warnings: Annotated[list[str], Field(description="What the owner of the job should know, in English.")]
    instants: Annotated[
        list[InstantOut], Field(description="The next 10 instants with the definition. None if the job is not enabled.")
    ]
    instants_now: Annotated[
        list[InstantOut], Field(description="The next 10 instants of the job as it is. Empty for a new job.")
    ]
    changes: Annotated[list[ChangeOut], Field(description="Fields of the job that would change. Empty for a new job.")]
    fires_moved: Annotated[
        bool, Field(description="Whether the instants differ from those of the job as it is. False for a new job.")
    ]

    @classmethod
    def of(cls, validated: Validated, description: str, warnings: list[str]) -> Self:
        """Build the answer."""
        return cls(
            description=description,
            warnings=warnings,
            instants=[InstantOut.of(each) for each in validated.instants],
            instants_now=[InstantOut.of(each) for each in validated.instants_now],
            changes=[ChangeOut(field=name, **sides) for name, sides in validated.changes.items()],
            fires_moved=validated.are_fires_moved,
        )


class ValidationQuery(Input):
    """The job to compare with."""

    job_id: Annotated[
        Id | None,
        Field(
            description="The job whose definition it would replace; its read-only fields may be sent back unchanged. "
            "Default: a new job."
        ),
    ] = None


@router.post(
    "/validate",
    operation_id="validateJob",
    summary="Validate a job without storing it",
    responses={
        200: answer("The definition is acceptable.", VALIDATION),
        **refusals(NotFoundError, ConflictError, takes_body=True),
    },
)
async def validate_job(
    definition: Definition,
    query: Annotated[ValidationQuery, Query()],
    service: CurrentService,
    caller: CurrentCaller,
) -> ValidationOut:
    """By the functions of `POST /jobs` and `PUT /jobs/{id}`: a wrong definition gets the same 422, with every error.

    Nothing is stored. Requirements are resolved only when a job is stored, because that takes seconds.
    """
    validated = await service.jobs.validate(caller, definition, query.job_id, shown_by(service))
    described = service.schedules.describe(validated.job, definition)
    of_grants = await service.feature(GrantService).warnings(validated.job.grants)
    return ValidationOut.of(validated, described.sentence, [*described.warnings, *of_grants])
