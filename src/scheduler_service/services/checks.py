"""Checks of a well-formed definition against the server's limits and the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler_service.domain.grants import GrantRules, refused_grants
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.rescheduling import date_problem
from scheduler_service.domain.resource_limits import NO_LIMITS, ResourceLimits
from scheduler_service.domain.schedules.schedule import Schedule, parse
from scheduler_service.domain.schedules.zone import load_zone
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services import python_environments, resource_limits
from scheduler_service.services.inspection import Inspection, inspect
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.preview_request import PreviewRequest

JOB: JsonDocument = {"name": "a job", "schedule_expr": "@hourly", "payload": {"type": "shell_script", "script": "true"}}
"""Values that replace required fields of a job if they are wrong."""

# If the zone of a schedule is unknown, its instants are known to within a day.
_ZONES_APART = timedelta(days=1)
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What this server allows: resources, Python environments, grants by owner, test runs at once, and default quotas.

    `environments` None means that workers may offer others.
    """

    resource_limits: ResourceLimits = NO_LIMITS
    environments: frozenset[str] | None = None
    grants: GrantRules = field(default_factory=dict)
    test_runs: int = 2
    quotas: Quotas = NO_QUOTAS


def inspect_job(document: JsonDocument, further: int = 0) -> Inspection[JobDefinition]:
    """Validate a document as a job."""
    return inspect(JobDefinition, document, JOB, further)


def problems_of_job(
    inspection: Inspection[JobDefinition], server_limits: ServerLimits, now: datetime, *, is_rescheduled: bool = True
) -> Iterator[FieldProblem]:
    """Yield the problems of a job that its model does not find.

    If `is_rescheduled` is False, the stored schedule is unchanged and need not have a future instant.
    """
    definition = inspection.valid_part
    if definition is None:
        return
    yield from inspection.about_sent(resource_limits.problems(definition, server_limits.resource_limits))
    if python_environments.FIELD not in inspection.replaced:
        yield from python_environments.problems(inspection.document.get("payload"), server_limits.environments)
    yield from inspection.about_sent(_grant_problems(definition, server_limits.grants))
    if is_rescheduled:
        yield from inspection.about_sent(_schedule_problems(inspection, definition, now))


def _grant_problems(definition: JobDefinition, rules: GrantRules) -> Iterator[FieldProblem]:
    for position, message in refused_grants(rules, definition.grants, definition.owner_id):
        yield FieldProblem(f"grants.{position}", message, definition.grants[position])


def problems_of_preview(inspection: Inspection[PreviewRequest], now: datetime) -> Iterator[FieldProblem]:
    """Yield the problems of a preview's schedule."""
    if (request := inspection.valid_part) is not None:
        yield from inspection.about_sent(_schedule_problems(inspection, request, now))


def _schedule_problems(
    inspection: Inspection[JobDefinition] | Inspection[PreviewRequest],
    chosen: JobDefinition | PreviewRequest,
    now: datetime,
) -> Iterator[FieldProblem]:
    """Yield the problems of zone, expression and dates, each as far as the other fields allow."""
    zone_problems = list(_zone_problems(chosen.timezone))
    yield from zone_problems
    is_zone_known = inspection.is_sent("timezone") and not zone_problems
    schedule: Schedule | None = None
    if chosen.schedule_expr is None:
        return
    if inspection.is_sent("schedule_expr"):
        try:
            schedule = _schedule(chosen, chosen.schedule_expr, chosen.timezone if is_zone_known else "UTC", now)
        except InvalidInputError as error:
            yield from error.problems
    if chosen.end_at is not None and chosen.end_at <= now:
        yield FieldProblem(
            "end_at",
            "is in the past, so the job would never run; write a later instant or omit it",
            iso8601(chosen.end_at),
        )
    elif schedule is not None:
        slack = _NO_TIME if is_zone_known else _ZONES_APART
        if problem := date_problem(schedule, chosen, now, slack):
            yield problem


def _zone_problems(timezone: str) -> Iterator[FieldProblem]:
    try:
        load_zone(timezone)
    except InvalidInputError as error:
        yield from error.problems


def _schedule(chosen: JobDefinition | PreviewRequest, expr: str, timezone: str, now: datetime) -> Schedule:
    return parse(expr, timezone=timezone, dst=chosen.dst, anchor_at=now)
