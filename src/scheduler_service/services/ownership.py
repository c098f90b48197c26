"""Checks the owner that a request names against the caller's owner."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.domain.caller import Caller
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.inspection import Inspection
from scheduler_service.services.job_definition import JobDefinition


def owned_by(caller: Caller, definition: JobDefinition) -> JobDefinition:
    """Return the definition, with the caller's owner if it names none and the caller has one."""
    if caller.bound is None or definition.owner_id:
        return definition
    return definition.model_copy(update={"owner_id": caller.bound})


def owner_named_by(caller: Caller, owner_id: str | None) -> str:
    """Return the owner that a parameter names, by default the caller's, or no one's if the caller has none.

    Raise `InvalidInputError` if the caller has another owner.
    """
    if caller.bound is not None and owner_id not in {None, caller.bound}:
        message = f"this key belongs to the owner {caller.bound!r}; write that one or leave the parameter out"
        raise InvalidInputError(FieldProblem("owner_id", message, owner_id))
    return owner_id or caller.bound or ""


def owner_problems(inspection: Inspection[JobDefinition], caller: Caller) -> Iterator[FieldProblem]:
    """Yield a problem if the caller has an owner and the job names another."""
    definition = inspection.valid_part
    if definition is None or caller.bound is None or not inspection.is_sent("owner_id"):
        return
    if definition.owner_id not in {"", caller.bound}:
        message = f"this key belongs to the owner {caller.bound!r}; write that one or leave the field out"
        yield FieldProblem("owner_id", message, definition.owner_id)
