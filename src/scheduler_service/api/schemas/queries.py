"""The query parameters of lists and logs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from scheduler_service.domain.listing import JobFilter, Page, RunFilter
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.http.parameters import Digits, Id, Offset, OwnerQuery, Paging, Separated, TagQuery
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import Input
from scheduler_service.services.instants import Instant

# No job contains a longer text. Searching for one takes time, and SQLite refuses patterns of 50,000 characters.
MAX_SEARCH_CHARACTERS = 200

MAX_LINES = 10_000
_MAX_LINE = 2**31 - 1

JobSort = Literal[
    "id", "-id", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at",
    "next_run_at", "-next_run_at", "priority", "-priority",
]  # fmt: skip


class JobQuery(Paging):
    """A filter of jobs."""

    owner_id: Annotated[OwnerQuery | None, Field(description="Only jobs of this owner, up to 128 characters.")] = None
    status: Annotated[JobStatus | None, Field(description="Only jobs in this state.")] = None
    last_status: Annotated[
        RunStatus | None, Field(description="Only jobs whose newest run that has ended has this status.")
    ] = None
    type: Annotated[
        Annotated[str, StringConstraints(max_length=64), Storable] | None,
        Field(description="Only jobs with this kind of payload, such as `python_code`."),
    ] = None
    due_since: Annotated[
        Instant | None, Field(description="Only jobs whose next instant is this one or a later one.")
    ] = None
    due_before: Annotated[Instant | None, Field(description="Only jobs whose next instant is earlier than this.")] = (
        None
    )
    tag: Annotated[
        TagQuery | None,
        Field(description="Only jobs with this tag, up to 64 characters."),
    ] = None
    name: Annotated[
        Annotated[str, StringConstraints(max_length=200), Storable] | None,
        Field(description="Only jobs with exactly this name, up to 200 characters. Case matters."),
    ] = None
    q: Annotated[
        Annotated[str, StringConstraints(max_length=MAX_SEARCH_CHARACTERS), Storable] | None,
        Field(
            description="Only jobs whose name or description contains this text, up to 200 characters. Case does not "
            "matter."
        ),
    ] = None
    external_key: Annotated[
        Annotated[str, StringConstraints(max_length=200), Storable] | None,
        Field(description="Only the job of each owner with this key, up to 200 characters."),
    ] = None
    sort: Annotated[JobSort, Field(description="Field to sort by. `-` in front reverses the order. Default `id`.")] = (
        "id"
    )

    def filters(self) -> JobFilter:
        """Return the filter for storage."""
        names = ("owner_id", "status", "last_status", "due_since", "due_before", "tag", "name", "q", "external_key")
        return JobFilter(payload_type=self.type, sort=self.sort, **{name: getattr(self, name) for name in names})


class RunQuery(Paging):
    """A filter of a job's runs."""

    trigger: Annotated[Trigger | None, Field(description="Only runs that were created by this trigger.")] = None
    status: Annotated[
        Annotated[list[RunStatus], Field(max_length=len(RunStatus))],
        Separated,
        Field(description="Only runs in one of these states: `status=failed,missed`, or the parameter repeated."),
    ] = Field(default_factory=list)
    reason: Annotated[Reason | None, Field(description="Only runs with this reason.")] = None
    late: Annotated[
        bool,
        Field(description="`true`: only runs that began 60 seconds after their instant or later. Default `false`."),
    ] = False
    since: Annotated[Instant | None, Field(description="Only runs scheduled for this instant or later.")] = None
    until: Annotated[Instant | None, Field(description="Only runs scheduled for an earlier instant than this.")] = None
    before_id: Annotated[
        Id | None,
        Field(description="Only runs older than the run with this id, in the order of ids."),
    ] = None
    logs: Annotated[
        Literal["tail", "none"],
        Field(
            description="`tail`: with the end of each log, 16 KiB. `none`: without, which is faster. Default `tail`."
        ),
    ] = "tail"

    @field_validator("until")
    @classmethod
    def _follows_since(cls, until: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if until is not None and since is not None and until < since:
            raise ValueError("must not be earlier than since")
        return until

    def filters(self) -> RunFilter:
        """Return the filter for storage."""
        return RunFilter(
            trigger=self.trigger,
            statuses=tuple(self.status),
            reason=self.reason,
            is_late=self.late,
            since=self.since,
            until=self.until,
        )

    @property
    def has_logs(self) -> bool:
        """Return whether the runs are shown with the ends of their logs."""
        return self.logs == "tail"

    @property
    def order(self) -> str:
        """Return the column that the list is sorted by."""
        is_window = self.since is not None or self.until is not None
        return "scheduled_for" if is_window and self.before_id is None else "id"

    def paging(self, sort: str = "") -> Page:
        """Return the requested page. Raise `InvalidInputError` for a cursor of another list."""
        return replace(super().paging(sort or self.order), before_id=self.before_id)


class AllRunsQuery(RunQuery):
    """A filter of runs."""

    job_id: Annotated[Id | None, Field(description="Only runs of the job with this id.")] = None
    owner_id: Annotated[
        OwnerQuery | None, Field(description="Only runs of jobs of this owner, up to 128 characters.")
    ] = None
    tag: Annotated[
        TagQuery | None, Field(description="Only runs of jobs that have this tag now, up to 64 characters.")
    ] = None

    def filters(self) -> RunFilter:
        """Return the filter for storage."""
        return replace(super().filters(), job_id=self.job_id, owner_id=self.owner_id, tag=self.tag)


class LogQuery(Input):
    """The requested part of a log: from a byte on, or some lines."""

    offset: Annotated[Offset, Field(description="Number of bytes to skip at the start of the log. Default 0.")] = 0
    from_line: Annotated[
        Annotated[int, Field(ge=-MAX_LINES, le=_MAX_LINE), Digits] | None,
        Field(description="First line, counted from 1. Negative: that many lines at the end, such as -2000."),
    ] = None
    lines: Annotated[
        int, Field(ge=1, le=MAX_LINES, description="Largest number of lines, 1 to 10,000. Default 1,000."), Digits
    ] = 1000

    @field_validator("from_line")
    @classmethod
    def _is_line(cls, from_line: int | None, info: ValidationInfo) -> int | None:
        if from_line == 0:
            raise ValueError("lines are counted from 1; negative numbers count from the end")
        if from_line is not None and info.data.get("offset"):
            raise ValueError("cannot be combined with offset; leave one of them out")
        return from_line


class LogSearchQuery(Input):
    """What is searched in a log."""

    q: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=MAX_SEARCH_CHARACTERS)],
        Field(description="Text that a line must contain, up to 200 characters. Case does not matter."),
    ]
    from_line: Annotated[
        int, Field(ge=1, le=_MAX_LINE, description="First line to search, counted from 1. Default 1."), Digits
    ] = 1
    limit: Annotated[
        int, Field(ge=1, le=1000, description="Largest number of matches, 1 to 1,000. Default 100."), Digits
    ] = 100
