"""Requests about calendars."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from scheduler_service.domain import day_sets, recurrence_rules
from scheduler_service.features.calendars.ical import MAX_CHARACTERS, read_ical
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import DefinitionModel

_EARLIEST = date(1900, 1, 1)
Day = Annotated[date, Field(strict=False)]  # JSON has text, no dates


class WrittenRule(DefinitionModel):
    """A recurrence rule."""

    rrule: Annotated[
        str,
        StringConstraints(max_length=200, pattern=r"^[A-Z]+=[A-Z0-9,+-]+(;[A-Z]+=[A-Z0-9,+-]+)*$"),
        Field(description="Rule of RFC 5545 with a FREQ of DAILY or longer, such as `FREQ=MONTHLY;BYDAY=-1FR`."),
    ]
    start: Annotated[
        Day, Field(ge=_EARLIEST, description="First day of the rule, from 1900-01-01 on. Default 2000-01-01.")
    ] = day_sets.FIRST_DAY

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if problem := recurrence_rules.problem_of_rule(recurrence_rules.Rule(self.start, self.rrule)):
            raise ValueError(f"{self.rrule!r} {problem}")
        return self


class WrittenHolidays(DefinitionModel):
    """The public holidays of a place."""

    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$"), Field(description="ISO 3166 code, such as `DE`.")]
    subdivision: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=32), Storable] | None,
        Field(description="Code of the state or province, such as `BY`. Null: the whole country. Default null."),
    ] = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if problem := day_sets.problem_of(day_sets.Holidays(self.country, self.subdivision)):
            raise ValueError(problem)
        return self


class CalendarDefinition(DefinitionModel):
    """The days of a calendar: all those that one of its parts names."""

    dates: Annotated[list[Day], Field(max_length=5000, description="Up to 5,000 single days. Default: none.")] = []  # noqa: RUF012 (pydantic copies defaults)
    rules: Annotated[
        list[WrittenRule], Field(max_length=100, description="Up to 100 recurrence rules. Default: none.")
    ] = []  # noqa: RUF012
    holidays: Annotated[
        list[WrittenHolidays], Field(max_length=20, description="Public holidays of up to 20 places. Default: none.")
    ] = []  # noqa: RUF012

    def columns(self) -> dict[str, Any]:
        """Return the stored form."""
        return self.model_dump(mode="json")


class CalendarRequest(CalendarDefinition):
    """A calendar to store. It has at least one day."""

    ical: Annotated[
        Annotated[str, StringConstraints(max_length=MAX_CHARACTERS)] | None,
        Field(
            description=f"An iCalendar file (RFC 5545), up to {MAX_CHARACTERS:,} characters. The days of its "
            "events are added to `dates` and `rules`. Default null."
        ),
    ] = None

    @model_validator(mode="after")
    def _has_days(self) -> Self:
        definition = self.definition()
        if not (definition.dates or definition.rules or definition.holidays):
            raise ValueError("a calendar needs dates, rules, holidays or ical")
        return self

    def definition(self) -> CalendarDefinition:
        """Return the calendar with the days of the iCalendar file. Raise `ValueError` if that cannot be used."""
        dates, rules = ((), ()) if self.ical is None else read_ical(self.ical)
        return CalendarDefinition(
            dates=sorted({*self.dates, *dates}),
            rules=[*self.rules, *(WrittenRule(rrule=rule.rrule, start=rule.start) for rule in rules)],
            holidays=self.holidays,
        )
