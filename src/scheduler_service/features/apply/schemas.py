"""Plans and exports, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.features.apply import examples
from scheduler_service.features.apply.records import Action, Plan, Step
from scheduler_service.http.answers import Answer
from scheduler_service.http.merge_patch import Described
from scheduler_service.services.job_definition import JobDefinition


class PlannedChange(Answer):
    """A field that changes. Secrets are masked, and the length of a long value is shown in its place."""

    before: Annotated[JsonValue, Field(description="The value now.")]
    after: Annotated[JsonValue, Field(description="The value afterwards.")]


class PlannedJob(Answer):
    """What a plan does with one job."""

    action: Annotated[Action, Field(description="`create`, `change`, `delete` or `unchanged`.")]
    document: Annotated[int | None, Field(description="Index of its document, from 0. Null: it has none.")]
    job_id: Annotated[int | None, Field(description="The job. Null: it is not created yet.")]
    owner_id: Annotated[str, Field(description="Owner of the job.")]
    external_key: Annotated[str, Field(description="Key of the job, or its name if it has no key.")]
    name: Annotated[str, Field(description="Name of the job.")]
    changes: Annotated[dict[str, PlannedChange], Field(description="The fields of a changed job that differ.")]
    fires_before: Annotated[
        list[datetime], Field(description="The next instants of the schedule now, up to 3, if the plan moves them.")
    ]
    fires_after: Annotated[list[datetime], Field(description="The next instants of the schedule afterwards, up to 3.")]

    @classmethod
    def of(cls, step: Step) -> Self:
        """Build the answer from a step."""
        return cls(
            action=step.action,
            document=step.document,
            job_id=None if step.job is None else step.job.id,
            owner_id=step.identity.owner_id,
            external_key=step.identity.key,
            name=step.identity.name,
            changes={name: PlannedChange(**values) for name, values in step.differences.items()},
            fires_before=list(step.fires_before),
            fires_after=list(step.fires_after),
        )


class PlanOut(Answer):
    """A plan, and whether it was applied."""

    model_config = ConfigDict(title="Plan", json_schema_extra={"examples": [examples.PLAN]})

    plan_id: Annotated[str, Field(description="Identifier of what the plan does to the present versions of the jobs.")]
    applied: Annotated[bool, Field(description="Whether the changes were made. False: it was a dry run.")]
    create: Annotated[int, Field(description="Number of new jobs.")]
    change: Annotated[int, Field(description="Number of changed jobs.")]
    delete: Annotated[int, Field(description="Number of deleted jobs.")]
    unchanged: Annotated[int, Field(description="Number of jobs that are as their documents say.")]
    items: Annotated[list[PlannedJob], Field(description="The jobs, in the order of the documents; then deleted ones.")]

    @classmethod
    def of(cls, plan: Plan, *, applied: bool) -> Self:
        """Build the answer from a plan."""
        counts = {action.value: len(plan.having(action)) for action in Action}
        items = [PlannedJob.of(step) for step in plan.steps]
        return cls(plan_id=plan.id, applied=applied, items=items, **counts)


class JobExport(Answer):
    """Jobs as documents."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"documents": [examples.DOCUMENT]}]})

    documents: Annotated[
        list[Annotated[dict[str, Any], Described(JobDefinition)]],
        Field(description="The jobs by id, without the fields that have their defaults."),
    ]
