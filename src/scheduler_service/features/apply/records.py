"""What an apply works with: the identities of documents, the steps of a plan, and the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from scheduler_service.domain.records import Job
from scheduler_service.services.job_acceptance import JobChange
from scheduler_service.services.job_definition import JobDefinition


class Action(StrEnum):
    """What a plan does with a job."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which job a document means. `external_key` None: the document has none, and its name takes its place."""

    owner_id: str
    name: str
    external_key: str | None

    @property
    def key(self) -> str:
        """Return the key that distinguishes the document from others of its owner."""
        return self.external_key or self.name


@dataclass(frozen=True, slots=True)
class Selector:
    """Which jobs a prune may delete, or an export contains. All parts must match; None matches every job."""

    tag: str | None = None
    owner_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a plan does with one job. `document` is the index of its document; None: no document names it.

    A creation has a definition; a change has its columns and the job that it leads to.
    `differences` has the values of each field that changes, without secrets. `fires_before` and `fires_after` are the
    next instants of the schedule if the step moves them.
    """

    action: Action
    document: int | None
    identity: Identity
    job: Job | None = None
    definition: JobDefinition | None = None
    change: JobChange | None = None
    edited: Job | None = None
    differences: Mapping[str, Mapping[str, Any]]
    fires_before: tuple[datetime, ...] = ()
    fires_after: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an apply. Two plans with the same `id` do the same to the same versions of jobs."""

    id: str
    steps: Sequence[Step]

    def having(self, action: Action) -> list[Step]:
        """Return the steps with an action."""
        return [step for step in self.steps if step.action is action]

    @property
    def has_changes(self) -> bool:
        """Return whether the plan changes anything."""
        return any(step.action is not Action.UNCHANGED for step in self.steps)
