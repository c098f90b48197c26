"""Lanes: when the runs of each job waited and executed in a window of some hours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.records import Run
from scheduler_service.web.views.cells import NOT_SERVED
from scheduler_service.web.views.status import Status, status_of_run

MAX_LANES = 30
WIDTH, LANE_HEIGHT = 1000, 26


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in its lane: from `x` it waited, from `started_x` it executed. A row without a run is a glyph at `x`."""

    run_id: int
    status: Status
    is_run: bool
    scheduled_for: datetime
    x: float
    started_x: float
    end_x: float


@dataclass(frozen=True, slots=True)
class Lane:
    """A job with its bars."""

    job_id: int
    name: str
    y: int
    bars: tuple[Bar, ...]


def lanes(runs: Iterable[tuple[Run, str]], begin: datetime, end: datetime, now: datetime) -> tuple[Lane, ...]:
    """Return the lanes of the jobs with the most runs, by their names. `runs` have the name of their job."""
    by_job: dict[tuple[str, int], list[Run]] = {}
    for run, name in runs:
        by_job.setdefault((name, run.job_id), []).append(run)
    busiest = sorted(by_job, key=lambda job: (-len(by_job[job]), job))[:MAX_LANES]
    return tuple(
        Lane(job_id, name, number * LANE_HEIGHT, tuple(_bar(run, begin, end, now) for run in by_job[name, job_id]))
        for number, (name, job_id) in enumerate(sorted(busiest))
    )


def _bar(run: Run, begin: datetime, end: datetime, now: datetime) -> Bar:
    def place(at: datetime) -> float:
        share = (at - begin) / (end - begin)
        return round(min(1.0, max(0.0, share)) * WIDTH, 1)

    is_run = run.status not in NOT_SERVED
    last = run.finished_at or now
    started = run.started_at or last
    return Bar(
        run.id,
        status_of_run(run.status),
        is_run,
        run.scheduled_for,
        place(run.scheduled_for),
        place(started),
        place(last),
    )
