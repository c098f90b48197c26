"""The attempts of a failing run on a line to scale: when each begins, and when the run gives up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_service.domain.retry import RetryPolicy

SHOWN = 12
WIDTH = 1000
"""Units of the drawing. The last attempt that is shown stands at its end."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A retry: its number, the seconds after the first attempt, its place, and the band of its jitter."""

    number: int
    after_seconds: float
    x: float
    band_x: float
    band_width: float


@dataclass(frozen=True, slots=True)
class RetryLine:
    """The retries that are shown, the seconds until the last of all, and how many are not shown."""

    attempts: tuple[Attempt, ...]
    total_seconds: float
    left_out: int


def retry_line(policy: Mapping[str, Any]) -> RetryLine | None:
    """Return the line of a valid retry policy, or None if it allows no retry."""
    valid = RetryPolicy(**policy)
    if valid.max_retries < 1:
        return None
    starts: list[tuple[float, float, float]] = []
    at = earliest = latest = 0.0
    for number in range(1, valid.max_retries + 1):
        at += valid.delay(number, 0.5)
        earliest += valid.delay(number, 0.0)
        latest += valid.delay(number, 1.0)
        starts.append((at, earliest, latest))
    shown = starts[:SHOWN]
    scale = WIDTH / max(1e-9, shown[-1][2])
    attempts = [
        Attempt(number, at, at * scale, earliest * scale, (latest - earliest) * scale)
        for number, (at, earliest, latest) in enumerate(shown, 1)
    ]
    return RetryLine(tuple(attempts), starts[-1][0], len(starts) - len(shown))
