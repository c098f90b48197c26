"""Decides which due instants of a job fire, are skipped or are missed.

Theory of operation. A job stores the next instant that has no row in the ledger yet (`next_run_at`). `decide` takes
every instant from there to `now` and puts each into exactly one entry. An instant older than the grace period is
misfired. The misfire policy chooses a cut: one `Miss` covers all instants before the cut, and the instants from the cut
on fire. The overlap policy then turns some of those into a `Skip`, depending on the number of active runs. A start
deadline moves the cut to the first instant whose run could still start in time.

The dispatcher, the schedule preview and the tests call the same function, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.run_state import Reason
from scheduler_service.domain.schedules.recurrence import Recurrence

MisfirePolicy = Literal["fire_once", "fire_all", "skip"]
OverlapPolicy = Literal["skip", "queue", "allow", "cancel_running"]

MAX_ENTRIES = 500
"""Limit of fired and skipped instants per decision, which keeps its transaction short. The next decision continues."""

_MICROSECOND = timedelta.resolution


@dataclass(frozen=True, slots=True)
class FiringRules:
    """A job's policies for late instants (misfire) and for instants that come due during a run (overlap)."""

    misfire_policy: MisfirePolicy = "fire_once"
    misfire_grace_seconds: float = 60
    catchup_limit: int = 100
    overlap_policy: OverlapPolicy = "skip"
    max_concurrency: int = 1
    # Instants older than this do not fire any more. None: there is no such limit.
    start_deadline_seconds: float | None = None
    # How many more runs the schedule may create. None: there is no limit.
    runs_left: int | None = None
    # How many more runs the quota of the owner allows now. None: there is no limit.
    quota_left: int | None = None


@dataclass(frozen=True, slots=True)
class Fire:
    """Create a queued run for this instant. If `cancels_others` is true, cancel the job's other active runs.

    `not_before` is the same time on the next open day, if the job's calendars exclude the day of the instant.
    """

    scheduled_for: datetime
    cancels_others: bool = False
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Create a `skipped` row: the job was busy, its calendars exclude the day, or a quota of its owner is used up."""

    scheduled_for: datetime
    reason: Reason = Reason.OVERLAP


@dataclass(frozen=True, slots=True)
class Miss:
    """Create one `missed` row for the `count` instants from `first` to `last`, both included."""

    first: datetime
    last: datetime
    count: int
    reason: Reason = Reason.MISFIRE


@dataclass(frozen=True, slots=True)
class Decision:
    """New ledger entries, ordered by instant, and the first instant without an entry.

    `next_run_at` can already be due if the backlog has more than `MAX_ENTRIES` instants; the caller then decides again.
    It is None if the schedule has no further instant or has created its last run, which finishes the job.
    """

    entries: tuple[Fire | Skip | Miss, ...]
    next_run_at: datetime | None


def first_run_at(
    schedule: Recurrence, *, now: datetime, start_at: datetime | None, end_at: datetime | None
) -> datetime | None:
    """Return the first instant after `now` and between `start_at` and `end_at`, or None if there is none."""
    after = now if start_at is None else max(now, start_at - _MICROSECOND)
    return _until(end_at, schedule.next_after(after))


def decide(
    schedule: Recurrence,
    rules: FiringRules,
    *,
    next_run_at: datetime,
    now: datetime,
    active: int,
    end_at: datetime | None,
    calendar: JobCalendar | None = None,
) -> Decision:
    """Return one entry for every instant from `next_run_at` to `now`, or to `end_at` if that is earlier.

    `next_run_at` counts as an instant even if the schedule does not name it, because the API has shown it to the user.

    `active` is the number of the job's queued, running and retrying runs. It includes queued runs that wait out their
    jitter. Otherwise two of them could come due together, which the overlap policy `skip` rules out.

    `calendar` None means that every day is open.
    """
    limit = now if end_at is None else min(now, end_at)
    if next_run_at > limit:
        return Decision((), _until(end_at, next_run_at))
    backlog = _Backlog(schedule, next_run_at, limit)
    cut = backlog.first_to_fire(rules, now - timedelta(seconds=rules.misfire_grace_seconds))
    start = cut if rules.start_deadline_seconds is None else backlog.first_in_time(cut, now, rules)
    fires, following = backlog.instants_from(start)
    misfire = Reason.CATCHUP_LIMIT if rules.misfire_policy == "fire_all" else Reason.MISFIRE
    entries = (
        *backlog.missed(next_run_at, cut, misfire),
        *(() if cut is None else backlog.missed(cut, start, Reason.START_DEADLINE)),
        *_within_quota(_on_open_days(fires, rules, active, calendar), rules.quota_left),
    )
    return _up_to_last_run(Decision(entries, _until(end_at, following)), rules.runs_left)


@dataclass(frozen=True, slots=True)
class _Backlog:
    """The due instants from `first`, which is one of them, to `limit`."""

    schedule: Recurrence
    first: datetime
    limit: datetime

    def first_to_fire(self, rules: FiringRules, fresh_from: datetime) -> datetime | None:
        """Return the first instant that fires, or None if none fires. Instants before `fresh_from` are misfired."""
        if self.first >= fresh_from:
            return self.first
        if rules.misfire_policy == "fire_all" and rules.catchup_limit:
            return self._cut_by_count(rules.catchup_limit, fresh_from)
        fresh = _until(self.limit, self.schedule.next_after(fresh_from - _MICROSECOND))
        if fresh is None and rules.misfire_policy == "fire_once":
            return self._last_before(self.limit + _MICROSECOND)
        return fresh

    def first_in_time(self, cut: datetime | None, now: datetime, rules: FiringRules) -> datetime | None:
        """Return the first instant from the cut on whose run can start by its deadline, or None if there is none."""
        in_time_from = now - timedelta(seconds=rules.start_deadline_seconds or 0)
        if cut is None or cut >= in_time_from:
            return cut
        return _until(self.limit, self.schedule.next_after(in_time_from - _MICROSECOND))

    def missed(self, first: datetime, cut: datetime | None, reason: Reason) -> tuple[Miss, ...]:
        """Return one `Miss` for all instants from `first` to before the cut, or nothing if there are none."""
        end = self.limit + _MICROSECOND if cut is None else cut
        if end <= first:
            return ()
        return (Miss(first, self._last_before(end), self._count_before(end) - self._count_before(first), reason),)

    def instants_from(self, cut: datetime | None) -> tuple[list[datetime], datetime | None]:
        """Return up to `MAX_ENTRIES` instants from the cut on, and the first instant after them."""
        if cut is None:
            return [], self.schedule.next_after(self.limit)
        instants: list[datetime] = []
        instant: datetime | None = cut
        while instant is not None and instant <= self.limit and len(instants) < MAX_ENTRIES:
            instants.append(instant)
            instant = self.schedule.next_after(instant)
        return instants, instant

    def _cut_by_count(self, kept: int, fresh_from: datetime) -> datetime:
        """Return the cut after which `kept` misfired instants remain, found by bisection on their count."""
        end = min(fresh_from, self.limit + _MICROSECOND)
        surplus = self._count_before(end) - kept
        if surplus <= 0:
            return self.first
        lo, hi = self.first, end  # invariant: at most `surplus` instants before `lo`, more before `hi`
        while hi - lo > _MICROSECOND:
            middle = lo + (hi - lo) // 2
            if self._count_before(middle) > surplus:
                hi = middle
            else:
                lo = middle
        return lo

    def _count_before(self, end: datetime) -> int:
        return 0 if end <= self.first else 1 + self.schedule.count_between(self.first, end - _MICROSECOND)

    def _last_before(self, end: datetime) -> datetime:
        return self.schedule.last_between(self.first, end - _MICROSECOND) or self.first


def _on_open_days(
    instants: list[datetime], rules: FiringRules, active: int, calendar: JobCalendar | None
) -> list[Fire | Skip]:
    """Return the entries of instants. Those that the calendar excludes take no part in the overlap policy."""
    if calendar is None:
        return _overlap(instants, rules, active)
    moved = {instant: calendar.moved(instant) for instant in instants if not calendar.is_open(instant)}
    skipped = [Skip(instant, Reason.CALENDAR) for instant, not_before in moved.items() if not_before is None]
    fires = _overlap([instant for instant in instants if moved.get(instant, instant) is not None], rules, active)
    waiting = [
        replace(entry, not_before=moved.get(entry.scheduled_for)) if isinstance(entry, Fire) else entry
        for entry in fires
    ]
    return sorted([*skipped, *waiting], key=_scheduled_for)


def _scheduled_for(entry: Fire | Skip) -> datetime:
    return entry.scheduled_for


def _overlap(instants: list[datetime], rules: FiringRules, active: int) -> list[Fire | Skip]:
    free = rules.max_concurrency - active
    if rules.overlap_policy in {"queue", "allow"} or len(instants) <= free:
        return [Fire(instant) for instant in instants]
    if rules.overlap_policy == "skip":
        fired = max(0, free)
        return [Fire(instant) if index < fired else Skip(instant) for index, instant in enumerate(instants)]
    # Each run would cancel the one before it, so only the last one starts.
    return [*map(Skip, instants[:-1]), *(Fire(instant, cancels_others=free <= 0) for instant in instants[-1:])]


def _within_quota(entries: list[Fire | Skip], quota_left: int | None) -> list[Fire | Skip]:
    """Return the entries with the first fires only; the others are skipped."""
    if quota_left is None:
        return entries
    over = [entry.scheduled_for for entry in entries if isinstance(entry, Fire)][quota_left:]
    return [Skip(entry.scheduled_for, Reason.QUOTA) if entry.scheduled_for in over else entry for entry in entries]


def _up_to_last_run(decision: Decision, runs_left: int | None) -> Decision:
    """Return a decision up to the last run. The job is then finished, and owes no later instants."""
    fired = [place for place, entry in enumerate(decision.entries) if isinstance(entry, Fire)]
    if runs_left is None or len(fired) < max(1, runs_left):
        return decision
    return Decision(decision.entries[: fired[max(1, runs_left) - 1] + 1], None)


def _until(end_at: datetime | None, instant: datetime | None) -> datetime | None:
    return None if instant is None or (end_at is not None and instant > end_at) else instant
