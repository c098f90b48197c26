"""The parameters that calls take from path, query and headers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Header, Path
from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from scheduler_service.domain.listing import JobFilter, Page, RunFilter
from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger
from scheduler_service.http.parameters import Digits, Id, Offset, Paging
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.payloads.text_pattern import TextPattern
from scheduler_service.services.instants import Instant
from scheduler_service.services.job_definition import Input

JobId = Annotated[Id, Path(description="The `id` of the job.", examples=[1])]
AlertId = Annotated[Id, Path(description="The `id` of the rule.", examples=[1])]
RunId = Annotated[Id, Path(description="The `id` of the run.", examples=[1])]

# A longer one is in no job; a search for it takes time, and SQLite refuses a pattern of 50,000 characters.
LONGEST_SEARCH = 200
OwnerQuery = Annotated[str, StringConstraints(max_length=128), Storable]
TagQuery = Annotated[str, StringConstraints(max_length=64), Storable]
Search = Annotated[str, StringConstraints(max_length=LONGEST_SEARCH), Storable]

IdempotencyKey = Annotated[
    Annotated[str, TextPattern(r"[\x21-\x7e]{1,255}", "1 to 255 letters, digits and signs of ASCII, without blanks")]
    | None,
    Header(
        alias="Idempotency-Key",
        description="A unique text of your choice, 1 to 255 ASCII characters without blanks. A repeated request with "
        "the same key changes nothing and gets the answer of the first request.",
        examples=["order-4711"],
    ),
]

JobSort = Literal[
    "id", "-id", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at",
    "next_run_at", "-next_run_at", "priority", "-priority",
]  # fmt: skip


class JobQuery(Paging):
    """Which jobs to list."""

    owner_id: Annotated[OwnerQuery | None, Field(description="Only jobs of this owner, up to 128 characters.")] = None
    status: Annotated[JobStatus | None, Field(description="Only jobs in this state.")] = None
    tag: Annotated[TagQuery | None, Field(description="Only jobs with this tag, up to 64 characters.")] = None
    q: Annotated[
        Search | None,
        Field(
            description="Only jobs whose name or description contains this text, up to 200 characters. Case does not "
            "matter."
        ),
    ] = None
    sort: Annotated[JobSort, Field(description="Field to sort by. `-` in front reverses the order. Default `id`.")] = (
        "id"
    )

    def filters(self) -> JobFilter:
        """Return what storage is to look for."""
        return JobFilter(owner_id=self.owner_id, status=self.status, tag=self.tag, q=self.q, sort=self.sort)

    def paging(self) -> Page:
        """Return the page that is asked for."""
        return Page(self.page, self.size)


class RunQuery(Paging):
    """Which runs of a job to list."""

    trigger: Annotated[Trigger | None, Field(description="Only runs that were created by this trigger.")] = None
    status: Annotated[RunStatus | None, Field(description="Only runs in this state.")] = None
    since: Annotated[Instant | None, Field(description="Only runs scheduled for this instant or later.")] = None
    until: Annotated[Instant | None, Field(description="Only runs scheduled for an earlier instant than this.")] = None
    before_id: Annotated[
        Id | None,
        Field(description="Only runs older than the run with this id, as in the `next` link. Fast on every page."),
    ] = None

    @field_validator("until")
    @classmethod
    def _follows_since(cls, until: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if until is not None and since is not None and until < since:
            raise ValueError("must not be earlier than since")
        return until

    def filters(self) -> RunFilter:
        """Return what storage is to look for."""
        return RunFilter(trigger=self.trigger, status=self.status, since=self.since, until=self.until)

    def paging(self) -> Page:
        """Return the page that is asked for."""
        return Page(self.page, self.size, self.before_id)


class AllRunsQuery(RunQuery):
    """Which runs of all jobs to list."""

    job_id: Annotated[Id | None, Field(description="Only runs of the job with this id.")] = None
    owner_id: Annotated[
        OwnerQuery | None, Field(description="Only runs of jobs of this owner, up to 128 characters.")
    ] = None

    def filters(self) -> RunFilter:
        """Return what storage is to look for."""
        return replace(super().filters(), job_id=self.job_id, owner_id=self.owner_id)


class NextQuery(Input):
    """How many instants to give."""

    count: Annotated[
        int, Field(ge=1, le=1000, description="Largest number of instants, 1 to 1,000. Default 10."), Digits
    ] = 10


class LogQuery(Input):
    """From where on to read a log."""

    offset: Annotated[Offset, Field(description="Number of bytes to skip at the start of the log. Default 0.")] = 0


LastEventId = Annotated[
    Offset | None,
    Header(alias="Last-Event-ID", description="Id of the last event received. The log continues after it."),
]


class StatsQuery(Input):
    """How far to look back."""

    window: Annotated[
        str,
        TextPattern(r"[1-9][0-9]{0,3}[mhd]", "1 to 9999 minutes, hours or days, such as 15m, 1h or 7d"),
        Field(
            description="Length of the window, 1 to 9999 minutes, hours or days, such as `15m`, `1h` or `7d`. Default "
            "`1h`."
        ),
    ] = "1h"

    def span(self) -> timedelta:
        """Return the window as a span."""
        units = {"m": "minutes", "h": "hours", "d": "days"}
        return timedelta(**{units[self.window[-1]]: int(self.window[:-1])})
