"""Hours of UTC, and how a range of instants is divided among them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of the hour that contains an instant."""
    return instant.replace(minute=0, second=0, microsecond=0)


def spread(first: datetime, last: datetime, count: int) -> Iterator[tuple[datetime, int]]:
    """Yield each hour of a range with its share of `count` instants, as if they had equal distances.

    A row of the ledger that stands for a range knows only its ends and its count.
    """
    span, counted = last - first, 0
    hour = hour_of(first)
    while counted < count:
        reached = hour + HOUR - timedelta.resolution
        until = count if reached >= last else 1 + (count - 1) * (reached - first) // span
        if until > counted:
            yield hour, until - counted
        counted, hour = max(counted, until), hour + HOUR
