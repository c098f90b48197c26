"""The base class of all response models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Total = Annotated[
    int | None,
    Field(
        description="Number of items in the whole list. With `count=capped`, 10,000 stands for that many or more. "
        "Null with `count=none`."
    ),
]
PageNumber = Annotated[int, Field(description="Number of this page, counted from 1.")]
PageSize = Annotated[int, Field(description="Largest number of items on a page, 1 to 100.")]


class Answer(BaseModel):
    """The base class of all response models. Its errors hide input values, which the log would store otherwise."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Identified(Answer):
    """The last base of an answer that extends a definition: `id` becomes its first field."""

    id: Annotated[int, Field(description="Identifier, a positive integer.")]


def with_all_fields(example: object) -> Callable[[dict[str, Any]], None]:
    """Describe an answer that extends a definition: it has all fields, also those that a definition may leave out."""

    def describe(schema: dict[str, Any]) -> None:
        schema["required"] = list(schema["properties"])
        schema["examples"] = [example]

    return describe


def span_seconds(started_at: datetime | None, finished_at: datetime | None) -> float | None:
    """Return the duration in seconds, or None if the end is not known yet."""
    if started_at is None or finished_at is None:
        return None
    return round((finished_at - started_at).total_seconds(), 6)
