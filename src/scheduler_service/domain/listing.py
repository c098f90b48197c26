"""Filters and pages of lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """The requested part of a list. `number` counts from 1.

    With `before_id`, the page starts after the row with that id, if the list supports it. Such a page is quick at any
    depth, and new rows do not shift it.
    """

    number: int = 1
    size: int = 10
    before_id: int | None = None

    @property
    def offset(self) -> int:
        """Return how many rows come before the page."""
        return 0 if self.before_id is not None else (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """One page of a list, and the number of items in the whole list."""

    items: tuple[Item, ...]
    total: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """A filter of jobs.

    `q` is a part of the name or description; `sort` names a column, with `-` for descending order.
    """

    owner_id: str | None = None
    status: JobStatus | None = None
    tag: str | None = None
    q: str | None = None
    sort: str = "id"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """A filter of runs. `since` (included) and `until` (excluded) limit `scheduled_for`."""

    job_id: int | None = None
    owner_id: str | None = None
    trigger: Trigger | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    until: datetime | None = None
