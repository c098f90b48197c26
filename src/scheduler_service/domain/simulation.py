"""Computes the ledger that a job would have in a window, by the function that decides for the dispatcher.

Theory of operation. A dispatcher is alive except in outages, and ticks at each instant of the job. At each tick,
`decide_for` decides about the due instants, with the runs that are then active. A run starts when its wait is over and
a concurrency slot is free, because workers are assumed to be free. It then takes `run_seconds` and succeeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.firing import Decision, Fire, Miss, Skip, first_run_at
from scheduler_service.domain.job_decision import decide_for, start_window
from scheduler_service.domain.quotas import minute_of
from scheduler_service.domain.records import DueJob, schedule_of
from scheduler_service.domain.run_state import Reason, RunStatus

MAX_ROWS = 2000
"""A simulation ends after this many rows."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time: from its beginning to before its end."""

    begin: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.begin <= instant < self.end


@dataclass(slots=True)
class SimulatedRow:
    """A row of the simulated ledger. `starts_at` and `ends_at` are those of a run that executes."""

    scheduled_for: datetime
    status: RunStatus
    reason: Reason | None = None
    missed_until: datetime | None = None
    missed_count: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is assumed: the window, when no dispatcher is alive, when the job is paused, and how long a run takes.

    `runs_per_minute` is the quota of the owner, of which the other jobs of the owner use nothing.
    """

    window: Window
    outages: Sequence[Window] = ()
    pauses: Sequence[Window] = ()
    run_seconds: float = 60
    runs_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The simulated rows. `is_cut` is true if the window has more than `MAX_ROWS`."""

    rows: tuple[SimulatedRow, ...]
    is_cut: bool

    @property
    def simulated_until(self) -> datetime | None:
        """Return the last instant that a cut simulation accounts for. None: it accounts for the whole window."""
        if not self.is_cut:
            return None
        last = self.rows[-1]
        return last.missed_until or last.scheduled_for


def simulate(
    job: DueJob, scenario: Scenario, calendar: JobCalendar | None = None, start_at: datetime | None = None
) -> Simulation:
    """Return the ledger of a job in the window of a scenario. `job.next_run_at` is not used."""
    rows = _Engine(job, scenario, calendar, start_at).rows()
    return Simulation(tuple(rows[:MAX_ROWS]), len(rows) > MAX_ROWS)


@dataclass(slots=True)
class _Engine:
    job: DueJob
    scenario: Scenario
    calendar: JobCalendar | None
    start_at: datetime | None
    ledger: list[SimulatedRow] = field(default_factory=list)
    queued: Counter[datetime] = field(default_factory=Counter)
    # Rows whose runs had not ended when they were last asked for. Most rows never matter again.
    unended: list[SimulatedRow] = field(default_factory=list)
    fired: int = 0

    def rows(self) -> list[SimulatedRow]:
        """Return the rows of the window, and possibly some more than `MAX_ROWS`."""
        for span in self._active_spans():
            self._run(span)
            if len(self.ledger) > MAX_ROWS:
                break
        return self.ledger

    def _active_spans(self) -> Iterator[Window]:
        """Yield the parts of the window in which the job is not paused."""
        begin, end = self.scenario.window.begin, self.scenario.window.end
        for pause in sorted(self.scenario.pauses, key=lambda pause: pause.begin):
            if begin < min(pause.begin, end):
                yield Window(begin, min(pause.begin, end))
            begin = max(begin, pause.end)
        if begin < end:
            yield Window(begin, end)

    def _run(self, span: Window) -> None:
        """Account for every instant of a span. A pause at its end comes after the instants that are due by then."""
        following = self._first_after(span.begin)
        while following is not None and following < span.end and len(self.ledger) <= MAX_ROWS:
            now = min(self._tick_after(following), span.end - timedelta.resolution)
            job = replace(self.job, next_run_at=following, scheduled_runs=self._scheduled_runs)
            decision = decide_for(job, now, len(self._unended_at(now)), self.calendar, self._quota_left(now))
            self._account(job, decision, now)
            following = decision.next_run_at

    @property
    def _scheduled_runs(self) -> int:
        return self.job.scheduled_runs + self.fired

    def _first_after(self, begin: datetime) -> datetime | None:
        if self.job.max_runs is not None and self._scheduled_runs >= self.job.max_runs:
            return None
        before = begin - timedelta.resolution
        return first_run_at(schedule_of(self.job), now=before, start_at=self.start_at, end_at=self.job.end_at)

    def _tick_after(self, instant: datetime) -> datetime:
        """Return the first moment from `instant` on at which a dispatcher is alive."""
        for outage in sorted(self.scenario.outages, key=lambda outage: outage.begin):
            if instant in outage:
                instant = outage.end
        return instant

    def _quota_left(self, now: datetime) -> int | None:
        allowed = self.scenario.runs_per_minute
        return None if allowed is None else max(0, allowed - self.queued[minute_of(now)])

    def _unended_at(self, now: datetime) -> list[SimulatedRow]:
        """Return the rows whose runs wait or execute. `now` is not earlier than at the last call."""
        self.unended = [row for row in self.unended if row.ends_at is not None and row.ends_at > now]
        return self.unended

    def _account(self, job: DueJob, decision: Decision, now: datetime) -> None:
        for entry in decision.entries:
            match entry:
                case Fire():
                    self._fire(job, entry, now)
                case Skip(scheduled_for=instant, reason=reason):
                    self.ledger.append(SimulatedRow(instant, RunStatus.SKIPPED, reason))
                case Miss(first=first, last=last, count=count, reason=reason):
                    self.ledger.append(SimulatedRow(first, RunStatus.MISSED, reason, last, count))
        fired = sum(isinstance(entry, Fire) for entry in decision.entries)
        self.queued[minute_of(now)] += fired
        self.fired += fired

    def _fire(self, job: DueJob, fire: Fire, now: datetime) -> None:
        if fire.cancels_others:
            self._cancel_all(now)
        available_at, start_by = start_window(job, fire)
        starts_at = max(now, available_at, self._slot_free_at(now))
        if start_by is not None and starts_at > start_by:
            row = SimulatedRow(fire.scheduled_for, RunStatus.MISSED, Reason.START_DEADLINE, fire.scheduled_for, 1)
            row.ends_at = max(now, start_by)  # it waits until then
        else:
            ends_at = starts_at + timedelta(seconds=self.scenario.run_seconds)
            row = SimulatedRow(fire.scheduled_for, RunStatus.SUCCESS, starts_at=starts_at, ends_at=ends_at)
        self.ledger.append(row)
        self.unended.append(row)

    def _slot_free_at(self, now: datetime) -> datetime:
        """Return when fewer runs than `max_concurrency` execute or wait before a new one."""
        if self.job.overlap_policy == "allow":
            return now
        started = (row for row in self._unended_at(now) if row.starts_at is not None)
        ends = sorted(row.ends_at for row in started if row.ends_at is not None)
        return ends[-self.job.max_concurrency] if len(ends) >= self.job.max_concurrency else now

    def _cancel_all(self, now: datetime) -> None:
        for row in self._unended_at(now):
            row.status, row.reason, row.ends_at = RunStatus.CANCELLED, Reason.OVERLAP, now
            row.missed_until = row.missed_count = None
            row.starts_at = row.starts_at if row.starts_at is not None and row.starts_at <= now else None
