"""Two simulated ledgers, one over the other, with the instants that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.domain.simulation import SimulatedRow, Simulation
from scheduler_service.web.views.cells import severity_of
from scheduler_service.web.views.runs import NOTICEABLE_LATENESS_SECONDS
from scheduler_service.web.views.status import Status, status_of_run

Key = tuple[datetime, RunStatus, Reason | None, int | None]
"""What two rows for the same instant have in common if they do not differ."""

WIDTH = 1000
MAX_CELLS = 400


@dataclass(frozen=True, slots=True)
class Mark:
    """A row of a simulated ledger. `differs` is true if the other ledger has another row for its instant."""

    scheduled_for: datetime
    until: datetime | None
    count: int
    status: Status
    reason: Reason | None
    starts_at: datetime | None
    ends_at: datetime | None
    x: float
    differs: bool
    late_seconds: float | None


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of instants. `latest_seconds` is the largest delay if they ran late. None: they did not."""

    status: Status
    reason: Reason | None
    count: int
    latest_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """A simulated ledger: its drawing, its first rows, and how many instants have each state and reason.

    `left_out` counts the rows after `marks`. `until` is the last instant of a simulation that was cut.
    """

    drawn: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    counts: tuple[Counted, ...]
    left_out: int
    rows: int
    until: datetime | None


def tracks(begin: datetime, end: datetime, as_is: Simulation, what_if: Simulation | None) -> tuple[Track, ...]:
    """Return one track for each ledger."""
    if what_if is None:
        return (_track(begin, end, as_is, as_is.rows),)
    return (_track(begin, end, as_is, what_if.rows), _track(begin, end, what_if, as_is.rows))


def _track(begin: datetime, end: datetime, simulation: Simulation, others: Iterable[SimulatedRow]) -> Track:
    known = {(row.scheduled_for, row.status, row.reason, row.missed_count) for row in others}
    marks = tuple(_mark(begin, end, row, known) for row in simulation.rows)
    return Track(
        drawn=_drawn(marks),
        marks=marks[:MAX_CELLS],
        counts=_counts(marks),
        left_out=max(0, len(marks) - MAX_CELLS),
        rows=len(marks),
        until=simulation.simulated_until,
    )


def _drawn(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Return at most one mark for each of `MAX_CELLS` places: one that differs before others, then the worst."""
    if len(marks) <= MAX_CELLS:
        return tuple(marks)
    places: dict[int, Mark] = {}
    for mark in marks:
        place = int(mark.x * MAX_CELLS / WIDTH)
        places[place] = min(places.get(place, mark), mark, key=_weight)
    return tuple(places.values())


def _weight(mark: Mark) -> tuple[bool, int]:
    return not mark.differs, severity_of(mark.status.family)


def _counts(marks: Iterable[Mark]) -> tuple[Counted, ...]:
    """Count the instants by state and reason, the most frequent first; those that ran late stand apart."""
    counts: Counter[tuple[Status, Reason | None, bool]] = Counter()
    latest: dict[tuple[Status, Reason | None, bool], float] = {}
    for mark in marks:
        key = (mark.status, mark.reason, mark.late_seconds is not None)
        counts[key] += mark.count
        if mark.late_seconds is not None:
            latest[key] = max(latest.get(key, 0.0), mark.late_seconds)
    return tuple(Counted(key[0], key[1], count, latest.get(key)) for key, count in counts.most_common())


def _mark(begin: datetime, end: datetime, row: SimulatedRow, known: set[Key]) -> Mark:
    key = (row.scheduled_for, row.status, row.reason, row.missed_count)
    x = round((row.scheduled_for - begin) / (end - begin) * WIDTH, 1)
    return Mark(
        row.scheduled_for,
        row.missed_until,
        row.missed_count or 1,
        status_of_run(row.status),
        row.reason,
        row.starts_at,
        row.ends_at,
        x,
        key not in known,
        _late_seconds(row),
    )


def _late_seconds(row: SimulatedRow) -> float | None:
    """Return how long after its instant a run starts, or None if nobody would notice."""
    if row.starts_at is None:
        return None
    seconds = (row.starts_at - row.scheduled_for).total_seconds()
    return seconds if seconds >= NOTICEABLE_LATENESS_SECONDS else None
