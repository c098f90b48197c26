"""The interface that every kind of schedule implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime


class Recurrence(ABC):
    """A strictly increasing series of instants. All arguments and results are aware UTC.

    Windows exclude their start and include their end: `a` < instant ≤ `b`. No method iterates over the instants of a
    window except `between`, which is lazy.
    """

    __slots__ = ()

    @abstractmethod
    def next_after(self, t: datetime) -> datetime | None:
        """Return the first instant after `t`, or None."""

    @abstractmethod
    def count_between(self, a: datetime, b: datetime) -> int:
        """Return the exact number of instants in the window."""

    @abstractmethod
    def last_between(self, a: datetime, b: datetime) -> datetime | None:
        """Return the latest instant in the window, or None."""

    def between(self, a: datetime, b: datetime) -> Iterator[datetime]:
        """Yield the instants in the window in order."""
        instant = self.next_after(a)
        while instant is not None and instant <= b:
            yield instant
            instant = self.next_after(instant)
