"""Two simulated ledgers, one over the other, with the instants that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.domain.simulation import SimulatedRow
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


@dataclass(frozen=True, slots=True)
class Track:
    """A simulated ledger: its marks, and how many instants have each state and reason."""

    marks: tuple[Mark, ...]
    counts: tuple[tuple[Status, Reason | None, int], ...]
    left_out: int


def tracks(
    begin: datetime, end: datetime, as_is: Sequence[SimulatedRow], what_if: Sequence[SimulatedRow] | None
) -> tuple[Track, ...]:
    """Return one track for each ledger."""
    if what_if is None:
        return (_track(begin, end, as_is, as_is),)
    return (_track(begin, end, as_is, what_if), _track(begin, end, what_if, as_is))


def _track(begin: datetime, end: datetime, rows: Sequence[SimulatedRow], others: Iterable[SimulatedRow]) -> Track:
    known = {(row.scheduled_for, row.status, row.reason, row.missed_count) for row in others}
    marks = tuple(_mark(begin, end, row, known) for row in rows[:MAX_CELLS])
    counted: Counter[tuple[RunStatus, Reason | None]] = Counter()
    for row in rows:
        counted[row.status, row.reason] += row.missed_count or 1
    counts = tuple((status_of_run(status), reason, count) for (status, reason), count in counted.most_common())
    return Track(marks, counts, max(0, len(rows) - MAX_CELLS))


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
    )
