"""The quotas of an owner, and what is said about one that is used up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Self

from scheduler_service.domain.schedules.recurrence import Recurrence
from scheduler_service.domain.schedules.schedule import Interval, Schedule

WINDOW = timedelta(minutes=1)
"""Runs are counted by minutes of the clock, because that is when most schedules fire."""

_EXAMINED = 100
BYTES_OF_MB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What an owner may use. None: there is no limit. `weight` is the owner's share of the slots beside others."""

    jobs: int | None = None
    min_interval_seconds: int | None = None
    runs_per_minute: int | None = None
    concurrent_runs: int | None = None
    environments: int | None = None
    stored_mb: int | None = None
    weight: int = 1

    def with_own(self, given: Mapping[str, int | None]) -> Self:
        """Return the quotas of an owner that was given these. None: the default holds; 0: there is no limit."""
        own = {name: given[name] for name in NAMES if given.get(name) is not None}
        return type(self)(**{**{name: getattr(self, name) for name in NAMES}, **own}).normal()

    def normal(self) -> Self:
        """Return the same quotas with None in the place of 0."""
        return type(self)(
            **{name: getattr(self, name) or None for name in NAMES if name != "weight"}, weight=self.weight
        )


NAMES = tuple(field.name for field in fields(Quotas))
NO_QUOTAS = Quotas()


def minute_of(now: datetime) -> datetime:
    """Return the beginning of the minute in which runs are counted."""
    return now.replace(second=0, microsecond=0)


def seconds_to_next_minute(now: datetime) -> int:
    """Return how many whole seconds remain until the next minute, at least 1."""
    return max(1, -int((now - minute_of(now) - WINDOW).total_seconds() // 1))


def rate_text(allowed: int) -> str:
    """Return why no further run may be queued in a minute."""
    return f"the owner's quota runs_per_minute is used up: {allowed} of {allowed} runs were queued in this minute"


def megabytes(count: int) -> int:
    """Return how many whole megabytes of 2**20 bytes a number of bytes has."""
    return count // BYTES_OF_MB


def storage_text(used: int, allowed: int) -> str:
    """Return why no further run may be queued until there is room. Both are megabytes."""
    return (
        f"the owner's quota stored_mb is used up: logs and artifacts of its runs take {used} MB, "
        f"and {allowed} MB are allowed"
    )


def shortest_interval(schedule: Schedule | Recurrence, after: datetime) -> timedelta | None:
    """Return the shortest time between the next instants of a schedule, or None if it has fewer than two."""
    if isinstance(schedule, Interval):
        first = schedule.next_after(after)
        second = None if first is None else schedule.next_after(first)
        return None if first is None or second is None else second - first
    instants, instant = list[datetime](), schedule.next_after(after)
    while instant is not None and len(instants) < _EXAMINED:
        instants.append(instant)
        instant = schedule.next_after(instant)
    return min((later - earlier for earlier, later in pairwise(instants)), default=None)
