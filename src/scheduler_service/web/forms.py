"""Reads small forms into the models that services use, and tells what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.http.error_messages import detail_of
from scheduler_service.services.inspection import RejectedError, inspect

Model = TypeVar("Model", bound=BaseModel)


def read_form(model: type[Model], document: Mapping[str, Any]) -> Model:
    """Return the model of a document. Raise `RejectedError` with everything that is wrong with it."""
    return inspect(model, document, {}).accept()


def check_name(name: str, pattern: str, form: str) -> None:
    """Raise `InvalidInputError` if a name does not have the form that a path of the API demands."""
    if not re.fullmatch(pattern, name):
        raise InvalidInputError(FieldProblem("name", f"write {form}", name))


def sentences_of(error: InvalidInputError) -> list[str]:
    """Return a sentence for each thing that is wrong. None contains what was sent."""
    if isinstance(error, RejectedError):
        found = [(".".join(map(str, item["loc"])), detail_of(item)) for item in error.items]
        found += [(problem.field, problem.message) for problem in error.service_problems]
    else:
        found = [(problem.field, problem.message) for problem in error.problems]
    return [f"{field}: {message}" if field else message for field, message in found]


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that are not blank, without surrounding spaces."""
    return [line.strip() for line in text.splitlines() if line.strip()]
