"""Limits the number of validation problems that are described; further ones are only counted.

Describing a problem takes longer than causing one. Without a limit, a body of one megabyte could block the event loop
for seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import InitErrorDetails, PydanticCustomError

MAX_PROBLEMS = 50
FURTHER = "further"
"""The type of an error that stands for `count` further errors."""


def refusal(title: str, wrong: Sequence[InitErrorDetails], further: int = 0) -> ValidationError:
    """Build an error with these details. `further` is the number of problems that are not described."""
    details = list(wrong[:MAX_PROBLEMS])
    if count := further + len(wrong) - len(details):
        custom = PydanticCustomError(FURTHER, "{count} more", {"count": count})
        details.append(InitErrorDetails(type=custom, loc=(), input=None))
    return ValidationError.from_exception_data(title, details)


def details_of(error: ValidationError) -> list[InitErrorDetails]:
    """Return the details of an error in a form that can be raised again."""
    return [
        InitErrorDetails(type=item["type"], loc=item["loc"], input=item["input"], ctx=item.get("ctx", {}))
        for item in error.errors(include_url=False)
    ]


def check_all(
    items: Any, handler: ValidatorFunctionWrapHandler, is_right: Callable[[Any], bool], right: object
) -> object:
    """Validate a list that may contain very many wrong items.

    `is_right` decides quickly what the handler decides with an explanation. `right` is a valid value; it replaces the
    wrong items that are only counted.
    """
    if not isinstance(items, list):
        return handler(items)
    wrong = [index for index, item in enumerate(items) if not is_right(item)]
    if len(wrong) <= MAX_PROBLEMS:
        return handler(items)
    shown = list(items)
    for index in wrong[MAX_PROBLEMS:]:
        shown[index] = right
    try:
        return handler(shown)
    except ValidationError as error:
        raise refusal("items", details_of(error), len(wrong) - MAX_PROBLEMS) from None
