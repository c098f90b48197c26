"""Which instants of a window a backfill runs again: a pure decision.

Theory of operation. The rows of the ledger never change: a missed instant stays missed, and a range of missed instants
stays one row. A backfill adds runs with the trigger `backfill`, each of which names its instant. The outcome of an
instant is that of the newest run for it: of the schedule, of a backfill, or of a retry. A backfill chooses by outcome,
so a second one leaves out what the first has mended.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus, Trigger

Only = Literal["missed", "failed", "all"]
Order = Literal["oldest_first", "newest_first"]


class Outcome(StrEnum):
    """What became of an instant. A `gap` has no row: the schedule did not owe it, or its row was deleted."""

    GAP = "gap"
    MISSED = "missed"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUCCESS = "success"
    ACTIVE = "active"
    # A calendar of the job excludes it.
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class InstantRow:
    """A run of an instant or, if `missed_until` is set, a row of a range of missed instants."""

    scheduled_for: datetime
    trigger: Trigger
    status: RunStatus
    reason: Reason | None
    missed_until: datetime | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instant that a backfill runs, and its outcome so far."""

    scheduled_for: datetime
    outcome: Outcome


_CHOSEN: dict[Only, frozenset[Outcome]] = {
    "missed": frozenset({Outcome.GAP, Outcome.MISSED, Outcome.SKIPPED}),
    "failed": frozenset({Outcome.FAILED}),
    "all": frozenset(Outcome) - {Outcome.ACTIVE, Outcome.EXCLUDED},
}


def candidates(named: Iterable[datetime], rows: Sequence[InstantRow], only: Only, order: Order) -> list[Candidate]:
    """Return the instants to run, in order.

    `named` are the instants of the present schedule on open days, and `rows` those of the window by age. Instants that
    an earlier schedule named count if they have a row.
    """
    ranges = sorted((row for row in rows if row.missed_until is not None), key=lambda row: row.scheduled_for)
    outcomes = {instant: _in_ranges(instant, ranges) for instant in named}
    outcomes |= {row.scheduled_for: Outcome.GAP for row in rows if row.trigger is Trigger.SCHEDULE}
    for row in rows:
        if row.scheduled_for in outcomes:
            outcomes[row.scheduled_for] = _outcome_of(row)
    chosen = [Candidate(*item) for item in sorted(outcomes.items()) if item[1] in _CHOSEN[only]]
    return chosen if order == "oldest_first" else chosen[::-1]


def _in_ranges(instant: datetime, ranges: Sequence[InstantRow]) -> Outcome:
    place = bisect_right(ranges, instant, key=lambda row: row.scheduled_for) - 1
    last = ranges[place].missed_until if place >= 0 else None
    return Outcome.MISSED if last is not None and instant <= last else Outcome.GAP


def _outcome_of(row: InstantRow) -> Outcome:
    if row.status not in TERMINAL:
        return Outcome.ACTIVE
    if row.status is RunStatus.SKIPPED and row.reason is Reason.CALENDAR:
        return Outcome.EXCLUDED
    return Outcome(row.status.value)
