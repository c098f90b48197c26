"""Jitter, as it may surprise: runs that wait it out stand in the way of those that follow."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from scheduler_service.domain.firing import FiringRules
from scheduler_service.domain.schedules.recurrence import Recurrence

_DAY = timedelta(days=1)
_TICK = timedelta.resolution
# Of a pattern that names instants unevenly; whoever names them oftener in a day mostly does it evenly.
_MOST_INSTANTS = 12


def jitter_warning(schedule: Recurrence, jitter_seconds: float, rules: FiringRules, now: datetime) -> str | None:
    """Return what happens where runs still wait out their jitter when the next instants come; None where none does.

    Looked at are the next instants within a day of the first of them.
    """
    held_up_by = rules.max_concurrency if rules.overlap_policy in _EFFECTS else 1
    first = schedule.next_after(now)
    if first is None or not jitter_seconds:
        return None
    span = timedelta(seconds=jitter_seconds) - _TICK  # an instant that comes just then finds the run begun
    instants = islice(schedule.between(now, first + _DAY), _MOST_INSTANTS)
    if not any(schedule.count_between(instant, instant + span) >= held_up_by for instant in instants):
        return None
    effect = _EFFECTS.get(rules.overlap_policy, "runs may begin in another order than that of their instants")
    shown = f"jitter_seconds is {jitter_seconds:g}, and instants follow each other more quickly"
    return f"{shown}: {effect} (overlap_policy is {rules.overlap_policy})."


_EFFECTS = {
    "skip": "an instant that comes while earlier runs wait out theirs is skipped",
    "cancel_running": "a run that waits its out is cancelled by the next instant that finds no place",
}
