"""Checks a job against the resource limits of this server."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.errors import FieldProblem
from scheduler_service.services.job_definition import JobDefinition


def problems(definition: JobDefinition, limits: ResourceLimits) -> Iterator[FieldProblem]:
    """Yield a problem for each field that exceeds its limit."""
    wanted = {"timeout_seconds": definition.timeout_seconds}
    wanted |= {f"limits.{name}": value for name, value in definition.limits}
    for field, value in wanted.items():
        limit = limits.limit_of(field.rpartition(".")[2])
        if limit is not None and value > limit:
            yield FieldProblem(field, _message(limit), value)


def _message(limit: float) -> str:
    if limit is False:
        return "this server does not allow jobs to use the network; write false, or ask the operator to allow it"
    return f"this server allows at most {limit}; write less, or ask the operator to raise it"
