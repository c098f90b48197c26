"""Doubles of the clock and of the broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler_service.domain.run_notice import RunNotice
from testkit.databases import NOON


class FakeClock:
    """A clock that stands still until a test advances it."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


class Stopwatch:
    """A monotonic clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class RecordingBroker:
    """Keeps the notices instead of delivering them."""

    def __init__(self) -> None:
        self.notices: list[RunNotice] = []

    async def send(self, notices: Sequence[RunNotice]) -> None:
        self.notices += notices

    async def close(self) -> None:
        """Do nothing: this broker holds no connection."""
