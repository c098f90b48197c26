"""The planner: what has to be done with each job. Pure, `now` is an argument."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pydantic import ValidationError

from scheduler_service.domain.audit_diff import difference
from scheduler_service.domain.records import Job, schedule_of
from scheduler_service.domain.rescheduling import first_instant, rescheduled
from scheduler_service.domain.schedules.schedule import Schedule, parse
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.records import Action, Identity, Plan, Step
from scheduler_service.services.job_acceptance import JobChange
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import columns_of, document_of

SHOWN_INSTANTS = 3
_LATEST = datetime.max.replace(tzinfo=UTC)
# Objects that an earlier version may have stored without members that have defaults.
_OBJECTS = frozenset({"limits", "payload", "retry_policy"})
_MOVE_INSTANTS = frozenset({"schedule_expr", "timezone", "dst", "start_at", "end_at", "enabled"})


def creation(document: int, identity: Identity, definition: JobDefinition, now: datetime) -> Step:
    """Return the step that stores a new job."""
    return Step(
        action=Action.CREATE,
        document=document,
        identity=identity,
        definition=definition,
        differences={},
        fires_after=_instants_of_new(definition, now) if definition.enabled else (),
    )


def edit(document: int, identity: Identity, job: Job, change: JobChange, now: datetime) -> Step:
    """Return the step that changes a job, or leaves it as it is.

    Raise `ConflictError` or `InvalidInputError` if the job cannot be changed in this way.
    """
    edited = rescheduled(job, replace(job, **change.columns), enabled=change.enabled, now=now)
    differences = difference(document_of(job), document_of(edited))
    if not differences or (_OBJECTS.issuperset(differences) and _is_written_alike(job, edited)):
        return Step(action=Action.UNCHANGED, document=document, identity=identity, job=job, differences={})
    moves = not _MOVE_INSTANTS.isdisjoint(differences)
    return Step(
        action=Action.CHANGE,
        document=document,
        identity=identity,
        job=job,
        change=_difference_only(job, change),
        edited=edited,
        differences=differences,
        fires_before=_instants(job) if moves else (),
        fires_after=_instants(edited) if moves else (),
    )


def deletion(job: Job) -> Step:
    """Return the step that deletes a job."""
    identity = Identity(job.owner_id, job.name, job.external_key)
    return Step(
        action=Action.DELETE, document=None, identity=identity, job=job, differences={}, fires_before=_instants(job)
    )


def plan_of(steps: Sequence[Step]) -> Plan:
    """Return the plan of steps. Its id covers what the steps do and the versions of the jobs that they change."""
    content = [_content(step) for step in steps if step.action is not Action.UNCHANGED]
    text = json.dumps(content, sort_keys=True, default=str)
    return Plan(hashlib.sha256(text.encode()).hexdigest()[:16], steps)


def _content(step: Step) -> list[Any]:
    values: Mapping[str, Any] = {}
    if step.definition is not None:
        values = columns_of(step.definition)
    elif step.change is not None:
        values = {**step.change.columns, "enabled": step.change.enabled}
    return [step.action, None if step.job is None else (step.job.id, step.job.version), values]


def _difference_only(job: Job, change: JobChange) -> JobChange:
    """Return a change without the columns that stay as they are, whose packages need not be looked up again."""
    columns = {name: value for name, value in change.columns.items() if getattr(job, name) != value}
    return JobChange(columns, change.enabled)


def _is_written_alike(job: Job, edited: Job) -> bool:
    """Return whether a job that an earlier version stored, without newer fields in its objects, equals the edited."""
    if job.status is not edited.status:
        return False
    try:
        stored = JobDefinition.model_validate(document_of(job))
    except ValidationError:  # a kind that is gone, or a limit that is stricter now
        return False
    columns = columns_of(stored)
    return all(getattr(edited, name) == value for name, value in columns.items())


def _instants_of_new(definition: JobDefinition, now: datetime) -> tuple[datetime, ...]:
    if definition.schedule_expr is None:
        return ()
    schedule = parse(definition.schedule_expr, timezone=definition.timezone, dst=definition.dst, anchor_at=now)
    return _following(schedule, first_instant(schedule, definition, now), definition.end_at)


def _instants(job: Job) -> tuple[datetime, ...]:
    if job.schedule_expr is None or job.next_run_at is None:
        return ()
    try:
        return _following(schedule_of(job), job.next_run_at, job.end_at)
    except InvalidInputError:  # a stored schedule that cannot be read any more
        return ()


def _following(schedule: Schedule, first: datetime, end_at: datetime | None) -> tuple[datetime, ...]:
    return (first, *islice(schedule.between(first, end_at or _LATEST), SHOWN_INSTANTS - 1))
