"""Schedules, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.api import examples
from scheduler_service.http.answers import Answer
from scheduler_service.services.schedules import Upcoming


class InstantOut(Answer):
    """An instant to come, in UTC and on the wall clock of the schedule's zone."""

    model_config = ConfigDict(title="Instant")

    at: datetime
    local: Annotated[datetime, Field(description="The same instant, with the zone's offset.")]

    @classmethod
    def of(cls, upcoming: Upcoming) -> Self:
        """Show an instant."""
        return cls(at=upcoming.at, local=upcoming.local)


class Next(Answer):
    """The instants at which a job is to run; none while it is paused and once it is finished."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEXT]})

    job_id: int
    timezone: str
    instants: list[InstantOut]


class PreviewOut(Answer):
    """What a schedule would do from now on."""

    model_config = ConfigDict(title="Preview", json_schema_extra={"examples": [examples.PREVIEW]})

    schedule_expr: str
    timezone: str
    description: Annotated[str, Field(description="The schedule in English.")]
    warnings: Annotated[list[str], Field(description="What the owner of this schedule should know.")]
    instants: list[InstantOut]
