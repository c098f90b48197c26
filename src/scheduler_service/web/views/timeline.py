"""The bar of a run, from its instant to its end: waiting, attempts, and the pauses between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.records import Attempt, Run
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.views.status import status_of_run

WIDTH = 1000
_LEAST_WIDTH = 4.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar. `family` is the colour of an attempt, or `wait`; `seconds` is its length in time."""

    x: float
    width: float
    family: str
    seconds: float
    attempt: int | None = None


def timeline(run: Run, attempts: Sequence[Attempt], now: datetime) -> tuple[Segment, ...]:
    """Return the segments of a run's bar on a scale of WIDTH, in order. A run that never began has none."""
    if not attempts:
        return ()
    begin = min(run.scheduled_for, attempts[0].started_at)
    end = max(run.finished_at or now, attempts[-1].finished_at or now if run.finished_at is None else run.finished_at)
    whole = max((end - begin).total_seconds(), 0.001)
    segments: list[Segment] = []
    at = begin
    for attempt in attempts:
        _append(segments, begin, whole, at, attempt.started_at, "wait", None)
        finished_at = attempt.finished_at or end
        family = status_of_run(RunStatus(attempt.status)).family
        _append(segments, begin, whole, attempt.started_at, finished_at, family, attempt.attempt)
        at = finished_at
    return tuple(segments)


def _append(
    segments: list[Segment],
    begin: datetime,
    whole: float,
    start: datetime,
    end: datetime,
    family: str,
    attempt: int | None,
) -> None:
    seconds = (end - start).total_seconds()
    if seconds <= 0 and attempt is None:
        return
    width = max(WIDTH * max(seconds, 0) / whole, _LEAST_WIDTH if attempt is not None else 0)
    x = min(WIDTH * (start - begin).total_seconds() / whole, WIDTH - width)
    segments.append(Segment(round(max(0.0, x), 1), round(width, 1), family, max(0.0, seconds), attempt))
