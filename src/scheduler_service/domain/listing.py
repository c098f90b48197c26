"""What to list: filters and pages; and the page that was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list to give; `number` counts from 1.

    `before_id`, where the list allows it, goes on behind the row of that id: as quick on the last page as on the
    first, and rows that come meanwhile move nothing.
    """

    number: int = 1
    size: int = 10
    before_id: int | None = None

    @property
    def offset(self) -> int:
        """How many rows lie in front of the page."""
        return 0 if self.before_id is not None else (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """One page of a list, and how many items the whole list has."""

    items: tuple[Item, ...]
    total: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. `q` is part of the name or description; `sort` names a column, `-` in front reverses."""

    owner_id: str | None = None
    status: JobStatus | None = None
    tag: str | None = None
    q: str | None = None
    sort: str = "id"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list: `since` and `until` bound `scheduled_for`, the first in and the second out."""

    job_id: int | None = None
    owner_id: str | None = None
    trigger: Trigger | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    until: datetime | None = None
