"""What every schedule can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime


class Recurrence(ABC):
    """A strictly increasing series of instants; all that go in and come out are aware UTC.

    Windows are open at their start and closed at their end: `a` < instant ≤ `b`. Every answer is bounded: none walks
    through the instants of a window but `between`, which is lazy.
    """

    __slots__ = ()

    @abstractmethod
    def next_after(self, t: datetime) -> datetime | None:
        """Return the first instant after `t`; None if there is none."""

    @abstractmethod
    def count_between(self, a: datetime, b: datetime) -> int:
        """Count the instants in the window, exactly."""

    @abstractmethod
    def last_between(self, a: datetime, b: datetime) -> datetime | None:
        """Return the latest instant in the window; None if it holds none."""

    def between(self, a: datetime, b: datetime) -> Iterator[datetime]:
        """Return the instants in the window, in order, as they are asked for."""
        instant = self.next_after(a)
        while instant is not None and instant <= b:
            yield instant
            instant = self.next_after(instant)
