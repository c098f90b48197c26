"""Filters and pages of lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger

Item = TypeVar("Item")

MAX_COUNTED = 10_000
"""The largest total of `Count.CAPPED`. It stands for itself and for all larger ones."""

LATE_SECONDS = 60
"""How long after its instant a late run begins, in seconds. An index contains these runs."""


class Count(StrEnum):
    """How the items of the whole list are counted."""

    EXACT = "exact"
    CAPPED = "capped"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: its id, and its value in the column by which the list is sorted, unless that is the id.

    The next page starts behind it. Such a page is quick at any depth, and new rows do not shift it.
    """

    id: int
    value: str | int | datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The requested part of a list. `number` counts from 1.

    With `cursor`, the page starts behind that row. With `before_id`, the page of a list of runs contains only rows with
    a smaller id. Otherwise, `number` counts the rows before the page.
    """

    number: int = 1
    size: int = 10
    before_id: int | None = None
    cursor: Cursor | None = None
    count: Count = Count.EXACT

    @property
    def offset(self) -> int:
        """Return how many rows come before the page."""
        is_offset = self.before_id is None and self.cursor is None
        return (self.number - 1) * self.size if is_offset else 0


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """One page of a list, and the number of items in the whole list, or None if they were not counted.

    `next` is the cursor of the next page, or None if this page is the last.
    """

    items: tuple[Item, ...]
    total: int | None
    next: Cursor | None = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """A filter of jobs.

    `name` is the whole name, and `q` a part of the name or description. `sort` names a column, with `-` for descending
    order. `due_since` (included) and `due_before` (excluded) limit the next instant.
    """

    owner_id: str | None = None
    status: JobStatus | None = None
    last_status: RunStatus | None = None
    payload_type: str | None = None
    due_since: datetime | None = None
    due_before: datetime | None = None
    tag: str | None = None
    name: str | None = None
    q: str | None = None
    external_key: str | None = None
    sort: str = "id"

    @property
    def is_by_instant(self) -> bool:
        """Return whether the next instant is limited."""
        return self.due_since is not None or self.due_before is not None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """A filter of runs. `since` (included) and `until` (excluded) limit `scheduled_for`.

    A run has one of `statuses` if there are any. `tag` is one of its job. With `is_late`, a run began LATE_SECONDS
    after its instant or later.
    """

    job_id: int | None = None
    owner_id: str | None = None
    tag: str | None = None
    trigger: Trigger | None = None
    statuses: tuple[RunStatus, ...] = ()
    reason: Reason | None = None
    is_late: bool = False
    since: datetime | None = None
    until: datetime | None = None
