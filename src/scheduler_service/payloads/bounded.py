"""How many problems of one kind are worked out; the rest is counted.

Each problem takes longer to describe than to make: a megabyte of them would hold the event loop for seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import InitErrorDetails, PydanticCustomError

MOST_PROBLEMS = 50
FURTHER = "further"
"""The type of an error that stands for `count` more."""


def refusal(title: str, wrong: Sequence[InitErrorDetails], further: int = 0) -> ValidationError:
    """Return an error of these details; `further` counts those that are left out."""
    details = list(wrong[:MOST_PROBLEMS])
    if count := further + len(wrong) - len(details):
        custom = PydanticCustomError(FURTHER, "{count} more", {"count": count})
        details.append(InitErrorDetails(type=custom, loc=(), input=None))
    return ValidationError.from_exception_data(title, details)


def details_of(error: ValidationError) -> list[InitErrorDetails]:
    """Return the details of an error, to be raised again beside others."""
    return [
        InitErrorDetails(type=item["type"], loc=item["loc"], input=item["input"], ctx=item.get("ctx", {}))
        for item in error.errors(include_url=False)
    ]


def check_all(
    items: Any, handler: ValidatorFunctionWrapHandler, is_right: Callable[[Any], bool], right: object
) -> object:
    """Validate a list of which very many items may be wrong.

    `is_right` decides quickly what the handler decides with reasons; `right` stands for those that are only counted.
    """
    if not isinstance(items, list):
        return handler(items)
    wrong = [place for place, item in enumerate(items) if not is_right(item)]
    if len(wrong) <= MOST_PROBLEMS:
        return handler(items)
    shown = list(items)
    for place in wrong[MOST_PROBLEMS:]:
        shown[place] = right
    try:
        return handler(shown)
    except ValidationError as error:
        raise refusal("items", details_of(error), len(wrong) - MOST_PROBLEMS) from None
