"""Schedules written as cron patterns in a time zone."""

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
"""Years that `next_after` searches. The rarest valid pattern, 29 February on a given weekday, occurs every 40 years."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_EARLIEST = datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001 (naive UTC)
_LATEST = datetime(LAST_YEAR, 1, 1)  # noqa: DTZ001 (naive UTC)


@dataclass(frozen=True, slots=True)
class Cron(Recurrence):
    """A cron pattern. `expr` is upper case with single spaces; `dst` applies only if the times are fixed."""

    expr: str
    zone: ZoneInfo
    dst: DstPolicy
    fields: CronFields = field(repr=False, compare=False)
    is_fixed: bool = field(repr=False, compare=False)

    def next_after(self, t: datetime) -> datetime | None:
        """Return the first instant after `t`, or None if there is none within `HORIZON_YEARS`."""
        at = _second_after(t)
        for year in self._years(at.year, min(at.year + HORIZON_YEARS, LAST_YEAR)):
            for stretch in stretches(self.zone, year, self.policy):
                if stretch.end > at and (found := self._first(stretch, at)):
                    return found.replace(tzinfo=UTC)
        return None

    def count_between(self, a: datetime, b: datetime) -> int:
        """Return the number of instants in the window, computed per stretch of constant offset."""
        start, end = _second_after(a), _second_after(b)
        return sum(self._count(stretch, start, end) for stretch in self._stretches(start, end))

    def last_between(self, a: datetime, b: datetime) -> datetime | None:
        """Return the latest instant in the window, searched backwards."""
        start, end = _second_after(a), _second_after(b)
        for stretch in reversed(list(self._stretches(start, end))):
            if found := self._last(stretch, start, end):
                return found.replace(tzinfo=UTC)
        return None

    @property
    def policy(self) -> DstPolicy:
        """Return the job's policy for fixed times, and `ELAPSED` for wildcard patterns."""
        return self.dst if self.is_fixed else ELAPSED

    def _years(self, first: int, end: int) -> Iterator[int]:
        """Return the UTC years from `first` to before `end` in which the fields can match a date.

        Wall clock and UTC differ by less than a day, so 31 December can lie in the next UTC year and 1 January in the
        last.
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
            # A matching time at the very end of the gap is the same instant, so it counts once.
            first = stretch.start + stretch.offset
            count += not self.fields.count_in(first, first + _SECOND)
        return count

    def _fires_after_gap(self, stretch: Stretch) -> bool:
        return stretch.gap is not None and self.fields.first_in(*stretch.gap) is not None


def _window(stretch: Stretch, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    return max(stretch.lo, start + stretch.offset), min(stretch.hi, end + stretch.offset)


def _second_after(t: datetime) -> datetime:
    """Return the first whole second after `t` as naive UTC, limited to the supported years.

    Patterns name whole seconds, so `a` < x ≤ `b` equals `_second_after(a)` ≤ x < `_second_after(b)`.
    """
    naive = t.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return min(max(naive, _EARLIEST), _LATEST) + _SECOND
