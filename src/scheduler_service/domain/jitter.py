"""Warns about jitter that is longer than the interval between two instants.

A run that waits out its jitter is active. It can therefore block or reorder the runs of the following instants.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from itertools import islice

from scheduler_service.domain.firing import FiringRules
from scheduler_service.domain.schedules.recurrence import Recurrence

_DAY = timedelta(days=1)
_MICROSECOND = timedelta.resolution
# Enough for a pattern with uneven intervals. A pattern with more instants a day is nearly always even.
_MAX_INSTANTS = 12


def jittered(job_id: int, instant: datetime, jitter_seconds: float) -> datetime:
    """Return the earliest start of a run. The delay is derived from job and instant, so that all dispatchers agree."""
    digest = hashlib.blake2b(f"{job_id}/{instant.isoformat()}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest) / 2**64
    return instant + timedelta(seconds=jitter_seconds * share)


def jitter_warning(schedule: Recurrence, jitter_seconds: float, rules: FiringRules, now: datetime) -> str | None:
    """Return a warning if runs can still wait out their jitter when the next instants come due, or None.

    It examines the instants within one day of the first one, at most `_MAX_INSTANTS`.
    """
    held_up_by = rules.max_concurrency if rules.overlap_policy in _EFFECTS else 1
    first = schedule.next_after(now)
    if first is None or not jitter_seconds:
        return None
    span = timedelta(seconds=jitter_seconds) - _MICROSECOND  # at the full span the run has started
    instants = islice(schedule.between(now, first + _DAY), _MAX_INSTANTS)
    if not any(schedule.count_between(instant, instant + span) >= held_up_by for instant in instants):
        return None
    effect = _EFFECTS.get(rules.overlap_policy, "runs may begin in another order than that of their instants")
    shown = f"jitter_seconds is {jitter_seconds:g}, and instants follow each other more quickly"
    return f"{shown}: {effect} (overlap_policy is {rules.overlap_policy})."


_EFFECTS = {
    "skip": "an instant that comes while earlier runs wait out theirs is skipped",
    "cancel_running": "a run that waits its out is cancelled by the next instant that finds no free slot",
}
