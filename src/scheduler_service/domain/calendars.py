"""Calendars: named sets of days, and which instants of a job they leave open.

Theory of operation. A calendar is a set of days. A job names several, and those with a minus sign exclude their days.
A day is open if one of the including calendars contains it, or if there is none, and no excluding one does. Days are
those of the job's time zone. `firing.decide` asks for each instant whether its day is open. A closed instant becomes a
`skipped` row, or its run waits for the same time on the next open day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

CalendarShift = Literal["skip", "next_day"]

CALENDAR_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
MAX_CLOSED_DAYS = 366
"""How far a run moves at most. If no day is open until then, its instant is skipped."""

_DAY = timedelta(days=1)


class DaySet(Protocol):
    """A set of days."""

    def __contains__(self, day: date, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class JobCalendar:
    """The days on which a job may run."""

    zone: ZoneInfo
    included: tuple[DaySet, ...]
    excluded: tuple[DaySet, ...]
    shift: CalendarShift = "skip"
    _known: dict[date, bool] = field(default_factory=dict, compare=False)

    def is_open(self, instant: datetime) -> bool:
        """Return whether the job may run on the day of an instant."""
        return self._is_open_day(instant.astimezone(self.zone).date())

    def moved(self, instant: datetime) -> datetime | None:
        """Return the same time on the next open day. None: the instant is skipped."""
        local = instant.astimezone(self.zone)
        if self.shift == "skip":
            return None
        days = (local.date() + number * _DAY for number in range(1, MAX_CLOSED_DAYS + 1))
        day = next((day for day in days if self._is_open_day(day)), None)
        return None if day is None else datetime.combine(day, local.time(), self.zone).astimezone(UTC)

    def _is_open_day(self, day: date) -> bool:
        """Return whether a day is open. Many instants are on one day, so it is computed once."""
        if (known := self._known.get(day)) is None:
            known = self._known[day] = self._compute_day(day)
        return known

    def _compute_day(self, day: date) -> bool:
        if any(day in days for days in self.excluded):
            return False
        return not self.included or any(day in days for days in self.included)


def split_reference(reference: str) -> tuple[str, bool]:
    """Return the name in a job's reference to a calendar, and whether its days are excluded."""
    return reference.removeprefix("-"), reference.startswith("-")


def names_of(references: Sequence[str]) -> set[str]:
    """Return the names of the calendars that a job refers to."""
    return {split_reference(reference)[0] for reference in references}
