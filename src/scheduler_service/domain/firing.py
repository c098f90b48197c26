"""What becomes of the instants of a job that is due: the one decision that dispatcher, preview and simulation share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from scheduler_service.domain.run_state import Reason
from scheduler_service.domain.schedules.recurrence import Recurrence

MisfirePolicy = Literal["fire_once", "fire_all", "skip"]
OverlapPolicy = Literal["skip", "queue", "allow", "cancel_running"]

MOST_ENTRIES = 500
"""At most this many instants are fired or skipped by one decision, to keep its transaction short; the rest waits."""

_TICK = timedelta.resolution


@dataclass(frozen=True, slots=True)
class FiringRules:
    """A job's choices for instants that come late (misfire) or while it is still busy (overlap)."""

    misfire_policy: MisfirePolicy = "fire_once"
    misfire_grace_seconds: float = 60
    catchup_limit: int = 100
    overlap_policy: OverlapPolicy = "skip"
    max_concurrency: int = 1


@dataclass(frozen=True, slots=True)
class Fire:
    """This instant becomes a queued run; with `cancels_others`, the job's other runs are cancelled for it."""

    scheduled_for: datetime
    cancels_others: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """This instant becomes a `skipped` row: the job was busy."""

    scheduled_for: datetime
    reason: Reason = Reason.OVERLAP


@dataclass(frozen=True, slots=True)
class Miss:
    """The `count` instants from `first` to `last`, both included, become one `missed` row."""

    first: datetime
    last: datetime
    count: int
    reason: Reason = Reason.MISFIRE


@dataclass(frozen=True, slots=True)
class Decision:
    """The ledger's new entries, by instant, and the first instant not accounted for yet.

    `next_run_at` may already be due, where a backlog is long: decide again. None means that the schedule names no
    instant any more: the job is finished.
    """

    entries: tuple[Fire | Skip | Miss, ...]
    next_run_at: datetime | None


def first_run_at(
    schedule: Recurrence, *, now: datetime, start_at: datetime | None, end_at: datetime | None
) -> datetime | None:
    """Return the instant that a new, edited or resumed job waits for: after `now`, from `start_at` to `end_at`."""
    after = now if start_at is None else max(now, start_at - _TICK)
    return _until(end_at, schedule.next_after(after))


def decide(
    schedule: Recurrence,
    rules: FiringRules,
    *,
    next_run_at: datetime,
    now: datetime,
    active: int,
    end_at: datetime | None,
) -> Decision:
    """Account for every instant from `next_run_at` to `now` (and to `end_at`), each exactly once.

    All rules of misfire come down to a cut: what lies before it is written off in one range, what follows fires,
    subject to overlap. `next_run_at` is taken at its word as an instant, as it was promised to the user.
    `active` is the number of the job's runs that are queued, running or retrying. Those that wait out their jitter are
    among them: two that were let wait could come due at once, and `skip` promises that nothing piles up.
    """
    limit = now if end_at is None else min(now, end_at)
    if next_run_at > limit:
        return Decision((), _until(end_at, next_run_at))
    backlog = _Backlog(schedule, next_run_at, limit)
    cut = backlog.cut(rules, now - timedelta(seconds=rules.misfire_grace_seconds))
    fires, following = backlog.instants_from(cut)
    entries = (*backlog.written_off(cut, rules), *_overlap(fires, rules, active))
    return Decision(entries, _until(end_at, following))


@dataclass(frozen=True, slots=True)
class _Backlog:
    """The instants from `first` (one of them) to `limit`."""

    schedule: Recurrence
    first: datetime
    limit: datetime

    def cut(self, rules: FiringRules, fresh_from: datetime) -> datetime | None:
        """Find the first instant that fires; None if none does. Those before `fresh_from` are misfired."""
        if self.first >= fresh_from:
            return self.first
        if rules.misfire_policy == "fire_all" and rules.catchup_limit:
            return self._cut_by_count(rules.catchup_limit, fresh_from)
        fresh = _until(self.limit, self.schedule.next_after(fresh_from - _TICK))
        if fresh is None and rules.misfire_policy == "fire_once":
            return self._last_before(self.limit + _TICK)
        return fresh

    def written_off(self, cut: datetime | None, rules: FiringRules) -> tuple[Miss, ...]:
        """Put all instants before the cut in one range."""
        end = self.limit + _TICK if cut is None else cut
        if end == self.first:
            return ()
        reason = Reason.CATCHUP_LIMIT if rules.misfire_policy == "fire_all" else Reason.MISFIRE
        return (Miss(self.first, self._last_before(end), self._count_before(end), reason),)

    def instants_from(self, cut: datetime | None) -> tuple[list[datetime], datetime | None]:
        """Return the instants from the cut on, as many as one decision takes, and the first one after them."""
        if cut is None:
            return [], self.schedule.next_after(self.limit)
        instants: list[datetime] = []
        instant: datetime | None = cut
        while instant is not None and instant <= self.limit and len(instants) < MOST_ENTRIES:
            instants.append(instant)
            instant = self.schedule.next_after(instant)
        return instants, instant

    def _cut_by_count(self, kept: int, fresh_from: datetime) -> datetime:
        """Find the cut that leaves the latest `kept` of the misfired instants to fire, by bisecting on their count."""
        end = min(fresh_from, self.limit + _TICK)
        surplus = self._count_before(end) - kept
        if surplus <= 0:
            return self.first
        lo, hi = self.first, end  # at most `surplus` instants lie before `lo`, more than that before `hi`
        while hi - lo > _TICK:
            middle = lo + (hi - lo) // 2
            if self._count_before(middle) > surplus:
                hi = middle
            else:
                lo = middle
        return lo

    def _count_before(self, end: datetime) -> int:
        return 1 + self.schedule.count_between(self.first, end - _TICK)

    def _last_before(self, end: datetime) -> datetime:
        return self.schedule.last_between(self.first, end - _TICK) or self.first


def _overlap(instants: list[datetime], rules: FiringRules, active: int) -> list[Fire | Skip]:
    free = rules.max_concurrency - active
    if rules.overlap_policy in {"queue", "allow"} or len(instants) <= free:
        return [Fire(instant) for instant in instants]
    if rules.overlap_policy == "skip":
        fired = max(0, free)
        return [Fire(instant) if place < fired else Skip(instant) for place, instant in enumerate(instants)]
    # Each would cancel the one before it: only the last is worth a start.
    return [*map(Skip, instants[:-1]), *(Fire(instant, cancels_others=free <= 0) for instant in instants[-1:])]


def _until(end_at: datetime | None, instant: datetime | None) -> datetime | None:
    return None if instant is None or (end_at is not None and instant > end_at) else instant
