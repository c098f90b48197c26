"""The cells of a ledger: what became of the instants of each hour or day, and what is planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from scheduler_service.domain.hours import hour_of
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.features.ledger.records import ScheduleSpan

Bucket = Literal["hour", "day"]
MAX_CELLS = 1_000
_UNSERVED = frozenset({RunStatus.SKIPPED, RunStatus.MISSED})


@dataclass(slots=True)
class Cell:
    """The instants of one hour or day. `planned` counts those that are still to come."""

    at: datetime
    by_status: Counter[RunStatus] = field(default_factory=Counter)
    by_reason: Counter[Reason] = field(default_factory=Counter)
    planned: int = 0

    @property
    def owed(self) -> int:
        """Return the number of instants that have a row."""
        return sum(self.by_status.values())


@dataclass(frozen=True, slots=True)
class Counted:
    """The instants of an hour with one status and reason."""

    hour: datetime
    status: RunStatus
    reason: Reason | None
    instants: int


@dataclass(frozen=True, slots=True)
class Period:
    """A part of the window, from `begin` to before `end`."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class LedgerWindow:
    """The cells of a window that are not empty, and the periods in which the job's schedule was not in force."""

    period: Period
    bucket: Bucket
    cells: tuple[Cell, ...]
    is_planned_cut: bool
    not_owed: tuple[Period, ...] = ()

    def instants(self, *statuses: RunStatus) -> int:
        """Return the number of instants with one of these statuses; of all that have a row without any."""
        return sum(
            count
            for cell in self.cells
            for status, count in cell.by_status.items()
            if not statuses or status in statuses
        )

    @property
    def served(self) -> int:
        """Return the number of instants that became a run."""
        return self.instants(*(status for status in RunStatus if status not in _UNSERVED))

    @property
    def planned(self) -> int:
        """Return the number of instants that are still to come."""
        return sum(cell.planned for cell in self.cells)


def begin_of(hour: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Return the beginning of the cell that contains an hour. Days are those of the zone."""
    if bucket == "hour":
        return hour
    midnight = hour.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.astimezone(hour.tzinfo)


def cells_of(
    counted: Iterable[Counted], planned: Iterable[tuple[datetime, int]], bucket: Bucket, zone: ZoneInfo
) -> tuple[Cell, ...]:
    """Return the cells in order. `planned` are hours with the number of their instants that are to come."""
    cells: dict[datetime, Cell] = {}

    def cell(hour: datetime) -> Cell:
        at = begin_of(hour, bucket, zone)
        return cells.setdefault(at, Cell(at))

    for each in counted:
        found = cell(each.hour)
        found.by_status[each.status] += each.instants
        if each.reason is not None:
            found.by_reason[each.reason] += each.instants
    for hour, count in planned:
        cell(hour).planned += count
    return tuple(cells[at] for at in sorted(cells))


def hours_of(instants: Iterable[datetime]) -> list[tuple[datetime, int]]:
    """Return the hours of some instants, each with their number."""
    return sorted(Counter(hour_of(instant) for instant in instants).items())


def not_owed(spans: Sequence[ScheduleSpan], period: Period, now: datetime) -> tuple[Period, ...]:
    """Return the parts of a period in which no schedule was in force. `spans` are in order."""
    found: list[Period] = []
    begin = period.begin
    for span in spans:
        if span.is_empty:
            continue
        if span.begins_at > begin:
            found.append(Period(begin, min(span.begins_at, period.end)))
        begin = max(begin, _end_of(span, now) or period.end)
        if begin >= period.end:
            break
    if begin < period.end:
        found.append(Period(begin, period.end))
    return tuple(each for each in found if each.begin < each.end)


def _end_of(span: ScheduleSpan, now: datetime) -> datetime | None:
    """Return the first instant that is not owed behind a span, or None if the span is open."""
    if span.state == "open":
        return None if span.end_at is None else span.end_at + timedelta.resolution
    if span.state == "closed":
        return span.ends_before or span.begins_at
    return now if span.end_at is None else min(now, span.end_at + timedelta.resolution)
