"""Schedules written as cron patterns, in a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.schedules.calendar_dst import (
    ELAPSED,
    FIRST_YEAR,
    LAST_YEAR,
    DstPolicy,
    Stretch,
    stretches,
)
from scheduler_service.domain.schedules.cron_fields import CronFields
from scheduler_service.domain.schedules.recurrence import Recurrence

HORIZON_YEARS = 50
"""How far ahead `next_after` looks: the rarest pattern that fires, 29 February on a given weekday, waits 40 years."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_EARLIEST = datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001 (naive UTC)
_LATEST = datetime(LAST_YEAR, 1, 1)  # noqa: DTZ001 (naive UTC)


@dataclass(frozen=True, slots=True)
class Cron(Recurrence):
    """A cron pattern, `expr`, upper case with single spaces; `dst` counts if the times are fixed (see `is_fixed`)."""

    expr: str
    zone: ZoneInfo
    dst: DstPolicy
    fields: CronFields = field(repr=False, compare=False)
    is_fixed: bool = field(repr=False, compare=False)

    def next_after(self, t: datetime) -> datetime | None:
        """Return the first instant after `t`; None if there is none within `HORIZON_YEARS`."""
        at = _second_after(t)
        for year in self._years(at.year, min(at.year + HORIZON_YEARS, LAST_YEAR)):
            for stretch in stretches(self.zone, year, self.policy):
                if stretch.end > at and (found := self._first(stretch, at)):
                    return found.replace(tzinfo=UTC)
        return None

    def count_between(self, a: datetime, b: datetime) -> int:
        """Count the instants in the window: per stretch of constant offset, months times days times times of day."""
        start, end = _second_after(a), _second_after(b)
        return sum(self._count(stretch, start, end) for stretch in self._stretches(start, end))

    def last_between(self, a: datetime, b: datetime) -> datetime | None:
        """Return the latest instant in the window, searched from its end."""
        start, end = _second_after(a), _second_after(b)
        for stretch in reversed(list(self._stretches(start, end))):
            if found := self._last(stretch, start, end):
                return found.replace(tzinfo=UTC)
        return None

    @property
    def policy(self) -> DstPolicy:
        """What happens at clock changes: the job's choice for fixed times, elapsed time for wildcards."""
        return self.dst if self.is_fixed else ELAPSED

    def _years(self, first: int, end: int) -> Iterator[int]:
        """Return the years of UTC, before `end`, to look at from `first` on: those in which the fields name a date.

        Wall clock and UTC are less than a day apart, so the last day of a year may lie in the next, and the reverse.
        """
        year = first
        while year < end:
            yield year
            after, limit = datetime(year, 12, 31), datetime(end, 1, 2)  # noqa: DTZ001 (wall clock)
            if (wall := self.fields.first_in(after, limit)) is None:
                return
            year = max(year + 1, (wall - _DAY).year)

    def _stretches(self, start: datetime, end: datetime) -> Iterator[Stretch]:
        for year in range(start.year, end.year + 1):
            for stretch in stretches(self.zone, year, self.policy):
                if stretch.start < end and stretch.end > start:
                    yield stretch

    def _first(self, stretch: Stretch, start: datetime) -> datetime | None:
        if stretch.start >= start and self._fires_after_gap(stretch):
            return stretch.start
        wall = self.fields.first_in(max(stretch.lo, start + stretch.offset), stretch.hi)
        return wall - stretch.offset if wall else None

    def _last(self, stretch: Stretch, start: datetime, end: datetime) -> datetime | None:
        wall = self.fields.last_in(*_window(stretch, start, end))
        if wall:
            return wall - stretch.offset
        return stretch.start if start <= stretch.start < end and self._fires_after_gap(stretch) else None

    def _count(self, stretch: Stretch, start: datetime, end: datetime) -> int:
        count = self.fields.count_in(*_window(stretch, start, end))
        if start <= stretch.start < end and self._fires_after_gap(stretch):
            # A time of its own at the very end of the gap is the same instant: it counts once.
            first = stretch.start + stretch.offset
            count += not self.fields.count_in(first, first + _SECOND)
        return count

    def _fires_after_gap(self, stretch: Stretch) -> bool:
        return stretch.gap is not None and self.fields.first_in(*stretch.gap) is not None


def _window(stretch: Stretch, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    return max(stretch.lo, start + stretch.offset), min(stretch.hi, end + stretch.offset)


def _second_after(t: datetime) -> datetime:
    """Return the first whole second after `t` as naive UTC, kept within the years that calendars are made for.

    Patterns name whole seconds, so `a` < x ≤ `b` is the same as `_second_after(a)` ≤ x < `_second_after(b)`.
    """
    naive = t.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return min(max(naive, _EARLIEST), _LATEST) + _SECOND
