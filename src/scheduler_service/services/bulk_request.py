"""What a client sends to change many jobs or runs at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from scheduler_service.domain.listing import JobFilter, RunFilter
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.payloads.numbers import Whole
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import DefinitionModel, Owner
from scheduler_service.services.inspection import inspect
from scheduler_service.services.instants import Instant
from scheduler_service.services.job_definition import Tag
from scheduler_service.services.json_document import JsonDocument

MAX_ITEMS = 1000
"""Jobs or runs that one request changes at most."""

JobAction = Literal["pause", "resume", "delete", "run", "tag", "untag"]
RunAction = Literal["cancel", "retry"]
_OF_TAGS = frozenset({"tag", "untag"})

_Id = Annotated[int, Field(ge=1, le=2**63 - 1), Whole]
_Text = Annotated[str, StringConstraints(max_length=200), Storable]
Ids = Annotated[
    list[_Id] | None,
    Field(min_length=1, max_length=MAX_ITEMS, description=f"Up to {MAX_ITEMS} ids. Null: `filter` says which."),
]
DryRun = Annotated[bool, Field(description="Only say what would be changed. Default false.")]
Expected = Annotated[
    int | None,
    Field(
        ge=0,
        description="How many objects the caller expects. If the number differs, nothing is changed and the answer is "
        "409. Default null.",
    ),
    Whole,
]


class JobSelection(DefinitionModel):
    """Which jobs are meant, as in `GET /jobs`. A job must match all fields; without any, all jobs are meant."""

    model_config = ConfigDict(title="Job selection")

    owner_id: Annotated[Owner | None, Field(description="Only jobs of this owner.")] = None
    status: Annotated[JobStatus | None, Field(strict=False, description="Only jobs in this state.")] = None
    last_status: Annotated[
        RunStatus | None, Field(strict=False, description="Only jobs whose newest ended run has this state.")
    ] = None
    type: Annotated[_Text | None, Field(description="Only jobs whose payload has this type.")] = None
    due_since: Annotated[
        Instant | None, Field(description="Only jobs whose next instant is this one or a later one.")
    ] = None
    due_before: Annotated[Instant | None, Field(description="Only jobs whose next instant is earlier than this.")] = (
        None
    )
    tag: Annotated[_Text | None, Field(description="Only jobs with this tag.")] = None
    q: Annotated[_Text | None, Field(description="Only jobs whose name or description contains this text.")] = None

    def filters(self) -> JobFilter:
        """Return the filter for storage."""
        values = self.model_dump()
        return JobFilter(payload_type=values.pop("type"), **values)


class RunSelection(DefinitionModel):
    """Which runs are meant, as in `GET /runs`. A run must match all fields; without any, all runs are meant."""

    model_config = ConfigDict(title="Run selection")

    job_id: Annotated[_Id | None, Field(description="Only runs of this job.")] = None
    owner_id: Annotated[Owner | None, Field(description="Only runs of jobs of this owner.")] = None
    tag: Annotated[_Text | None, Field(description="Only runs of jobs with this tag.")] = None
    status: Annotated[
        list[Annotated[RunStatus, Field(strict=False)]], Field(max_length=8, description="Only runs in these states.")
    ] = []  # noqa: RUF012 (pydantic copies defaults)
    reason: Annotated[Reason | None, Field(strict=False, description="Only runs with this reason.")] = None
    trigger: Annotated[Trigger | None, Field(strict=False, description="Only runs of this trigger.")] = None
    late: Annotated[bool, Field(description="Only runs that began 60 seconds after their instant or later.")] = False
    since: Annotated[Instant | None, Field(description="Only runs scheduled for this instant or later.")] = None
    until: Annotated[Instant | None, Field(description="Only runs scheduled for an earlier instant.")] = None

    def filters(self) -> RunFilter:
        """Return the filter for storage."""
        values = self.model_dump()
        return RunFilter(statuses=tuple(values.pop("status")), is_late=values.pop("late"), **values)


class JobBulkRequest(DefinitionModel):
    """An action on many jobs. Either `ids` or `filter` says which."""

    model_config = ConfigDict(title="Bulk change of jobs")

    action: Annotated[
        JobAction, Field(description="What is done to each job. `tag` and `untag` add and remove the `tags`.")
    ]
    ids: Ids = None
    filter: Annotated[JobSelection | None, Field(description="Which jobs, up to 1,000. Null: those of `ids`.")] = None
    tags: Annotated[
        list[Tag], Field(max_length=50, description="Tags for the actions `tag` and `untag`. Default: none.")
    ] = []  # noqa: RUF012 (pydantic copies defaults)
    dry_run: DryRun = False
    expected_count: Expected = None

    @field_validator("tags")
    @classmethod
    def _belong_to_the_action(cls, tags: list[str], info: ValidationInfo) -> list[str]:
        action = info.data.get("action")
        if tags and action is not None and action not in _OF_TAGS:
            raise ValueError(f"has no effect with the action {action}; leave it out")
        return tags

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        _check_selection(self.ids, self.filter)
        if self.action in _OF_TAGS and not self.tags:
            raise ValueError(f"the action {self.action} needs tags; name at least one")
        return self


class RunBulkRequest(DefinitionModel):
    """An action on many runs. Either `ids` or `filter` says which."""

    model_config = ConfigDict(title="Bulk change of runs")

    action: Annotated[RunAction, Field(description="What is done to each run.")]
    ids: Ids = None
    filter: Annotated[RunSelection | None, Field(description="Which runs, up to 1,000. Null: those of `ids`.")] = None
    dry_run: DryRun = False
    expected_count: Expected = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        _check_selection(self.ids, self.filter)
        return self


def read_job_bulk(document: JsonDocument) -> JobBulkRequest:
    """Return the request in a document. Raise `RejectedError` with all problems."""
    return inspect(JobBulkRequest, document, {"action": "pause", "ids": [1]}).accept()


def read_run_bulk(document: JsonDocument) -> RunBulkRequest:
    """Return the request in a document. Raise `RejectedError` with all problems."""
    return inspect(RunBulkRequest, document, {"action": "cancel", "ids": [1]}).accept()


def _check_selection(ids: list[int] | None, selection: Any) -> None:
    if (ids is None) == (selection is None):
        raise ValueError("write either ids or filter")
