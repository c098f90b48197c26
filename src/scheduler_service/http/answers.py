"""The base of all answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Total = Annotated[int, Field(description="Number of items in the whole list.")]
PageNumber = Annotated[int, Field(description="Number of this page, counted from 1.")]
PageSize = Annotated[int, Field(description="Largest number of items on a page, 1 to 100.")]


class Answer(BaseModel):
    """The base of all answers. What they hold is never shown in an error's text, which the log would keep."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


def span_seconds(started_at: datetime | None, finished_at: datetime | None) -> float | None:
    """Return how long something took; None while it is not over."""
    if started_at is None or finished_at is None:
        return None
    return round((finished_at - started_at).total_seconds(), 6)
