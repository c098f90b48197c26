"""Reads the calendars that jobs name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.calendars import CalendarShift, DaySet, JobCalendar, names_of, split_reference
from scheduler_service.domain.day_sets import built_in, days_of
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.storage.calendar_tables import calendars

StoredCalendars = Mapping[tuple[str, str], Mapping[str, Any]]
"""The definitions of calendars by owner and name."""


class NamesCalendars(Protocol):
    """The fields of a job that determine on which days it runs."""

    @property
    def owner_id(self) -> str:
        """Return whose calendars the names mean."""

    @property
    def calendars(self) -> list[str]:
        """Return the names; those with a minus sign exclude their days."""

    @property
    def calendar_shift(self) -> CalendarShift:
        """Return what happens to an instant on a closed day."""

    @property
    def timezone(self) -> str:
        """Return the zone of the days."""


async def read_for(connection: AsyncConnection, jobs: Sequence[NamesCalendars]) -> StoredCalendars:
    """Return the stored calendars that jobs name. It costs no query if they name none."""
    wanted = {(job.owner_id, name) for job in jobs for name in names_of(job.calendars)}
    if not wanted:
        return {}
    query = select(calendars.c.owner_id, calendars.c.name, calendars.c.definition).where(
        calendars.c.owner_id.in_({owner_id for owner_id, _ in wanted}),
        calendars.c.name.in_({name for _, name in wanted}),
    )
    return {(row.owner_id, row.name): row.definition for row in await connection.execute(query)}


def calendar_of(job: NamesCalendars, stored: StoredCalendars) -> JobCalendar | None:
    """Return on which days a job runs. None: on every day. Raise `InvalidInputError` if a calendar is unknown."""
    if not job.calendars:
        return None
    sets: dict[bool, list[DaySet]] = {True: [], False: []}
    for place, reference in enumerate(job.calendars):
        name, is_excluded = split_reference(reference)
        definition = stored.get((job.owner_id, name))
        days = built_in(name) if definition is None else days_of(definition)
        if days is None:
            raise InvalidInputError(_unknown(place, reference))
        sets[is_excluded].append(days)
    return JobCalendar(ZoneInfo(job.timezone), tuple(sets[False]), tuple(sets[True]), job.calendar_shift)


def unknown_calendars(job: NamesCalendars, stored: StoredCalendars) -> Iterator[FieldProblem]:
    """Yield a problem for each calendar that does not exist."""
    for place, reference in enumerate(job.calendars):
        name, _ = split_reference(reference)
        if (job.owner_id, name) not in stored and built_in(name) is None:
            yield _unknown(place, reference)


async def find_for(connection: AsyncConnection, job: NamesCalendars) -> JobCalendar | None:
    """Read on which days a job runs. None: on every day. Raise `InvalidInputError` if a calendar is unknown."""
    return calendar_of(job, await read_for(connection, [job]))


def _unknown(place: int, reference: str) -> FieldProblem:
    name, _ = split_reference(reference)
    message = f"there is no calendar {name!r}; create it, or write a built-in one such as business-days"
    return FieldProblem(f"calendars.{place}", message, reference)
