"""Checks the owner of a job against the caller's owner."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.domain.caller import Caller
from scheduler_service.errors import FieldProblem
from scheduler_service.services.inspection import Inspection
from scheduler_service.services.job_definition import JobDefinition


def owned_by(caller: Caller, definition: JobDefinition) -> JobDefinition:
    """Return the definition, with the caller's owner if it names none and the caller has one."""
    if caller.bound is None or definition.owner_id:
        return definition
    return definition.model_copy(update={"owner_id": caller.bound})


def owner_problems(inspection: Inspection[JobDefinition], caller: Caller) -> Iterator[FieldProblem]:
    """Yield a problem if the caller has an owner and the job names another."""
    definition = inspection.valid_part
    if definition is None or caller.bound is None or not inspection.is_sent("owner_id"):
        return
    if definition.owner_id not in {"", caller.bound}:
        message = f"this key belongs to the owner {caller.bound!r}; write that one or leave the field out"
        yield FieldProblem("owner_id", message, definition.owner_id)
