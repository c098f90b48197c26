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

    at: Annotated[datetime, Field(description="The instant, in UTC.")]
    local: Annotated[datetime, Field(description="The same instant in the schedule's time zone, with its offset.")]

    @classmethod
    def of(cls, upcoming: Upcoming) -> Self:
        """Show an instant."""
        return cls(at=upcoming.at, local=upcoming.local)


class Next(Answer):
    """The instants at which a job is to run; none while it is paused and once it is finished."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEXT]})

    job_id: Annotated[int, Field(description="Identifier of the job.")]
    timezone: Annotated[str, Field(description="Time zone of the schedule.")]
    instants: Annotated[list[InstantOut], Field(description="Upcoming instants, earliest first.")]


class PreviewOut(Answer):
    """What a schedule would do from now on."""

    model_config = ConfigDict(title="Preview", json_schema_extra={"examples": [examples.PREVIEW]})

    schedule_expr: Annotated[str, Field(description="The schedule as it was sent.")]
    timezone: Annotated[str, Field(description="Time zone of the schedule.")]
    description: Annotated[str, Field(description="The schedule in English.")]
    warnings: Annotated[list[str], Field(description="What the owner of the schedule should know, in English.")]
    instants: Annotated[list[InstantOut], Field(description="Upcoming instants, earliest first.")]
