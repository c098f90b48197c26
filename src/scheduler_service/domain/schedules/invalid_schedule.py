"""The error of a schedule expression that cannot be read or never fires."""

from __future__ import annotations

from scheduler_service.errors import FieldProblem, InvalidInputError


def invalid_schedule(text: str, message: str) -> InvalidInputError:
    """Build the error on `schedule_expr` for an expression; `message` says what is wrong and what to write."""
    return InvalidInputError(FieldProblem("schedule_expr", message, text))
