"""The request to apply documents."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from scheduler_service.features.apply import examples
from scheduler_service.features.apply.records import Selector
from scheduler_service.http.merge_patch import Described
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.job_definition import JobDefinition

MAX_DOCUMENTS = 5000

SelectedTag = Annotated[str, StringConstraints(min_length=1, max_length=64), Storable]
SelectedOwner = Annotated[str, StringConstraints(max_length=128), Storable]


class JobSelector(DefinitionModel):
    """Which jobs are selected. All parts must match."""

    tag: Annotated[SelectedTag | None, Field(description="Only jobs with this tag, up to 64 characters.")] = None
    owner_id: Annotated[SelectedOwner | None, Field(description="Only jobs of this owner, to 128 characters.")] = None

    def selector(self) -> Selector:
        """Return the selector."""
        return Selector(self.tag, self.owner_id)


class ApplyRequest(DefinitionModel):
    """Documents, and what to do with jobs that they do not name."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REQUEST]})

    documents: Annotated[
        list[Annotated[dict[str, Any], Described(JobDefinition)]],
        Field(
            min_length=1,
            max_length=MAX_DOCUMENTS,
            description="1 to 5,000 jobs. A job is identified by its owner and its `external_key`, or its name. In "
            "`after`, `external_key` may name a job in place of `job`, also one that the same request creates.",
        ),
    ]
    dry_run: Annotated[bool, Field(description="Only return the plan. Default false.")] = False
    prune: Annotated[
        JobSelector | None,
        Field(description="Delete the jobs of this selection that no document names. Null: delete none. Default null."),
    ] = None
    plan_id: Annotated[
        Annotated[str, StringConstraints(max_length=64)] | None,
        Field(description="Only apply the plan with this id; if another one is needed now, the answer is 412."),
    ] = None

    @field_validator("prune")
    @classmethod
    def _selects(cls, prune: JobSelector | None) -> JobSelector | None:
        if prune is not None and prune == JobSelector():
            raise ValueError("would select every job; name a tag or an owner_id")
        return prune
