"""Runs per minute and the durations of a window, as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler_service.domain.outcomes import Step
from scheduler_service.domain.run_state import RunStatus

WIDTH, HEIGHT = 720, 120
_GAP = 0.2
"""The share of a step that stays free between two bars."""


@dataclass(frozen=True, slots=True)
class PaceBar:
    """The runs of a step: where its bar is, and its figures. `bad_height` is the part of those that failed."""

    at: datetime
    x: float
    width: float
    height: float
    bad_height: float
    per_minute: float
    bad_per_minute: float
    p95: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """A chart. `line` is a path of the p95, `columns` the same figures for scripts: seconds, good, bad, p95."""

    bars: tuple[PaceBar, ...]
    line: str
    max_per_minute: float
    max_seconds: float
    step_seconds: int
    columns: tuple[tuple[Any, ...], ...]

    @property
    def is_empty(self) -> bool:
        """Return whether nothing ran."""
        return self.max_per_minute == 0


def pace(steps: Sequence[Step], step: timedelta) -> Pace:
    """Return the chart of the steps of a window."""
    minutes = step / timedelta(minutes=1)
    good = [each.by_status.get(RunStatus.SUCCESS, 0) / minutes for each in steps]
    bad = [each.by_status.get(RunStatus.FAILED, 0) / minutes for each in steps]
    most = max((ran + failed for ran, failed in zip(good, bad, strict=True)), default=0.0)
    p95 = [each.duration_seconds.p95 for each in steps]
    slowest = max((seconds for seconds in p95 if seconds is not None), default=0.0)
    width = WIDTH / max(1, len(steps))
    bars = tuple(
        PaceBar(
            at=each.at,
            x=round(number * width + width * _GAP / 2, 1),
            width=round(width * (1 - _GAP), 1),
            height=_scaled(good[number] + bad[number], most),
            bad_height=_scaled(bad[number], most),
            per_minute=round(good[number] + bad[number], 2),
            bad_per_minute=round(bad[number], 2),
            p95=p95[number],
        )
        for number, each in enumerate(steps)
    )
    points = [
        f"{round((number + 0.5) * width, 1)},{round(HEIGHT - _scaled(seconds, slowest), 1)}"
        for number, seconds in enumerate(p95)
        if seconds is not None
    ]
    columns = (tuple(each.at.timestamp() for each in steps), tuple(good), tuple(bad), tuple(p95))
    return Pace(bars, " ".join(points), most, slowest, int(step.total_seconds()), columns)


def _scaled(value: float, most: float) -> float:
    return 0.0 if most == 0 else round(value / most * HEIGHT, 1)
