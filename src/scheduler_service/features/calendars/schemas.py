"""Calendars, as the API shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.calendars import examples
from scheduler_service.features.calendars.definition import WrittenHolidays, WrittenRule
from scheduler_service.features.calendars.records import Calendar
from scheduler_service.http.answers import Answer


class CalendarOut(Answer):
    """A calendar."""

    model_config = ConfigDict(title="Calendar", json_schema_extra={"examples": [examples.CALENDAR]})

    name: Annotated[str, Field(description="Name of the calendar.")]
    owner_id: Annotated[str, Field(description="Owner whose jobs can name it.")]
    dates: Annotated[list[date], Field(description="Single days, those of an iCalendar file included.")]
    rules: Annotated[list[WrittenRule], Field(description="Recurrence rules.")]
    holidays: Annotated[list[WrittenHolidays], Field(description="Places whose public holidays belong to it.")]
    created_at: Annotated[datetime, Field(description="When it was created.")]
    updated_at: Annotated[datetime, Field(description="When it was last replaced.")]

    @classmethod
    def of(cls, calendar: Calendar) -> Self:
        """Build the answer from a calendar."""
        about = {name: getattr(calendar, name) for name in ("name", "owner_id", "created_at", "updated_at")}
        return cls(**calendar.definition, **about)


class CalendarList(Answer):
    """Calendars."""

    calendars: Annotated[list[CalendarOut], Field(description="The calendars, by owner and name.")]


class CalendarDays(Answer):
    """The days of a calendar in one year."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DAYS]})

    name: Annotated[str, Field(description="Name of the calendar.")]
    year: Annotated[int, Field(description="The year.")]
    days: Annotated[list[date], Field(description="Its days in that year.")]
