"""Calls about calendars, one transaction each."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.day_sets import built_in, days_of
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.features.calendars import store
from scheduler_service.features.calendars.definition import CalendarDefinition
from scheduler_service.features.calendars.records import Calendar
from scheduler_service.services.audit import Target, record
from scheduler_service.services.ownership import owner_named_by
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

_DAY = timedelta(days=1)


class CalendarService:
    """Stores calendars, and lists their days."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(
        self, caller: Caller, owner_id: str | None, name: str, definition: CalendarDefinition
    ) -> tuple[Calendar, bool]:
        """Store a calendar. Return it, and whether it is new.

        Later instants of jobs that name it follow the new days. Raise `ConflictError` if the name is built in.
        """
        caller.require(Scope.WRITE)
        owner_id = owner_named_by(caller, owner_id)
        if built_in(name) is not None:
            raise ConflictError(f"{name} is a built-in calendar; write another name")
        async with self._database.write() as connection:
            now, old = self._clock.now(), await store.find(connection, owner_id, name)
            is_new = await store.put(connection, owner_id, name, definition.columns(), now)
            calendar = await store.find(connection, owner_id, name)
            before, after = (None if each is None else each.definition for each in (old, calendar))
            target = Target(f"calendars/{name}", owner_id)
            await record(connection, caller, "putCalendar", target, now, before=before, after=after)
        assert calendar is not None  # noqa: S101 (stored above)
        return calendar, is_new

    async def list_calendars(self, caller: Caller, owner_id: str | None) -> list[Calendar]:
        """Return the calendars of an owner; without one, those of the caller's owner, or all to an administrator."""
        caller.require(Scope.READ)
        wanted = caller.bound if owner_id is None else owner_named_by(caller, owner_id)
        async with self._database.read() as connection:
            return await store.list_calendars(connection, wanted)

    async def get(self, caller: Caller, owner_id: str | None, name: str) -> Calendar:
        """Return a calendar. Raise `NotFoundError` if there is none."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            calendar = await store.find(connection, owner_named_by(caller, owner_id), name)
        if calendar is None:
            raise _not_found(name)
        return calendar

    async def days(self, caller: Caller, owner_id: str | None, name: str, year: int | None) -> tuple[int, list[date]]:
        """Return a year, the present one by default, and its days in a calendar, which can be a built-in one.

        Raise `NotFoundError` if there is no such calendar.
        """
        days = built_in(name)
        if days is None:
            days = days_of((await self.get(caller, owner_id, name)).definition)
        caller.require(Scope.READ)
        chosen = year or self._clock.now().year
        first = date(chosen, 1, 1)
        all_days = [first + number * _DAY for number in range((date(chosen + 1, 1, 1) - first).days)]
        return chosen, await asyncio.to_thread(lambda: [day for day in all_days if day in days])

    async def delete(self, caller: Caller, owner_id: str | None, name: str) -> None:
        """Delete a calendar. Raise `NotFoundError` if there is none, and `ConflictError` if a job names it."""
        caller.require(Scope.WRITE)
        owner_id = owner_named_by(caller, owner_id)
        async with self._database.write() as connection:
            if users := await store.jobs_with(connection, owner_id, name):
                listed = ", ".join(map(str, users))
                raise ConflictError(f"jobs use the calendar {name!r} ({listed}); remove it from them first")
            old = await store.find(connection, owner_id, name)
            if old is None or not await store.remove(connection, owner_id, name):
                raise _not_found(name)
            target = Target(f"calendars/{name}", owner_id)
            await record(connection, caller, "deleteCalendar", target, self._clock.now(), before=old.definition)


def _not_found(name: str) -> NotFoundError:
    return NotFoundError(f"there is no calendar {name!r}")
