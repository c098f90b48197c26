"""The records of the check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpan:
    """A time in which a schedule was in force. `next_run_at` is that of its job."""

    job_id: int
    state: Literal["open", "closed", "finished"]
    begins_at: datetime
    ends_before: datetime | None
    schedule_expr: str
    timezone: str
    dst_gap: Literal["run_after", "skip"]
    dst_fold: Literal["first", "second", "both"]
    anchor_at: datetime
    end_at: datetime | None
    next_run_at: datetime | None
    max_runs: int | None

    @property
    def is_empty(self) -> bool:
        """Return whether an edit ended the span before its first instant. The next one can begin before it."""
        return self.ends_before is not None and self.ends_before <= self.begins_at


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row of a scheduled instant, or of a range of `count` instants."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An instant of a job that is owed and has no row (`missing`), or has a row and is not owed (`surplus`)."""

    job_id: int
    kind: Literal["missing", "surplus"]
    scheduled_for: datetime


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The result of a check: how much was compared, and what differs. `is_cut`: more differs than is listed."""

    since: datetime
    jobs: int
    owed: int
    differences: tuple[Difference, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularCheck:
    """A pass of the regular check over all jobs. `ended_at` None: it is under way.

    Every instant before `settled_at` had been fired when it began.
    """

    id: int
    since: datetime
    begun_at: datetime
    settled_at: datetime
    ended_at: datetime | None
    holder: str
    held_until: datetime
    after_job: int
    jobs: int
    owed: int
    unaccounted: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The number of instants of a job that are not accounted for, and the first of them."""

    job_id: int
    instants: int
    kind: Literal["missing", "surplus"]
    scheduled_for: datetime


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The last regular check that has ended, and what it found of the jobs of a caller."""

    ended_at: datetime
    findings: tuple[Finding, ...]

    @property
    def unaccounted(self) -> int:
        """Return the number of instants that are not accounted for."""
        return sum(finding.instants for finding in self.findings)
