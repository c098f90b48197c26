"""Refusing what goes beyond the bounds of this server."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.errors import FieldProblem
from scheduler_service.services.job_definition import JobDefinition


def problems(definition: JobDefinition, maxima: ResourceLimits) -> Iterator[FieldProblem]:
    """Return a problem for each field beyond its bound."""
    wanted = {"timeout_seconds": definition.timeout_seconds}
    wanted |= {f"limits.{name}": value for name, value in definition.limits}
    for field, value in wanted.items():
        most = maxima.most(field.rpartition(".")[2])
        if most is not None and value > most:
            yield FieldProblem(field, _message(most), value)


def _message(most: float) -> str:
    if most is False:
        return "this server gives no network to jobs; write false, or ask its operator"
    return f"this server allows {most} at the most; write less, or ask its operator"
