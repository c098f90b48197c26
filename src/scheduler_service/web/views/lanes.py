"""Lanes: when the runs of each job waited and executed in a window of some hours.

Runs of a job that execute at once stand in several lanes, one for each place that they take. Places are percentages of
the width, so that a drawing of any width keeps the shape of its signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.lanes import LaneRun
from scheduler_service.web.views.cells import NOT_SERVED
from scheduler_service.web.views.status import Status, status_of_run

MAX_LANES = 30
MAX_PLACES = 8
_WHOLE = 100
_TICKS = {1: timedelta(minutes=10), 3: timedelta(minutes=30), 6: timedelta(hours=1)}
"""How far the hours of the wall clock are apart, by the length of the window in hours."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a lane."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in its lane: it waits in `whole`, and executes in `executing`. A row without a run is a sign at its `x`.

    `seconds` is how long it executed, or None.
    """

    run_id: int
    status: Status
    is_run: bool
    scheduled_for: datetime
    whole: Stretch
    executing: tuple[Stretch, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane of a job. `place` counts from 1, one for each run that executes at once."""

    job_id: int
    name: str
    place: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A time of the wall clock."""

    x: float
    clock: str


def lanes(runs: Iterable[LaneRun], begin: datetime, end: datetime) -> tuple[Lane, ...]:
    """Return at most MAX_LANES lanes of the jobs with the most runs, by their names."""
    by_job: dict[tuple[str, int], list[LaneRun]] = {}
    for run in runs:
        by_job.setdefault((run.job_name, run.job_id), []).append(run)
    busiest = sorted(by_job, key=lambda job: (-len(by_job[job]), job))[:MAX_LANES]
    drawn: list[Lane] = []
    for name, job_id in sorted(busiest):
        places = _places(by_job[name, job_id], end)
        drawn += [
            Lane(job_id, name, number, tuple(_bar(run, begin, end) for run in place))
            for number, place in enumerate(places, 1)
        ]
    return tuple(drawn[:MAX_LANES])


def ticks(begin: datetime, end: datetime, hours: int, zone: ZoneInfo) -> tuple[Tick, ...]:
    """Return times of the wall clock within a window of `hours`."""
    step = _TICKS[hours]
    local = begin.astimezone(zone)
    at = begin - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    found = []
    while at < end:
        if at > begin:
            found.append(Tick(_x(at, begin, end), at.astimezone(zone).strftime("%H:%M")))
        at += step
    return tuple(found)


def _places(runs: Sequence[LaneRun], now: datetime) -> list[list[LaneRun]]:
    """Divide runs so that those of one place do not execute at once. What exceeds MAX_PLACES overlaps in the last."""
    places: list[list[LaneRun]] = [[]]
    free_at: list[datetime | None] = [None]
    for run in sorted(runs, key=lambda run: (run.started_at or run.scheduled_for, run.run_id)):
        if run.started_at is None:
            places[0].append(run)
            continue
        started_at = run.started_at
        free = next((number for number, at in enumerate(free_at) if at is None or at <= started_at), len(places))
        if free == len(places) and len(places) < MAX_PLACES:
            places.append([])
            free_at.append(None)
        free = min(free, len(places) - 1)
        places[free].append(run)
        free_at[free] = max(run.finished_at or now, free_at[free] or started_at)
    return places


def _bar(run: LaneRun, begin: datetime, end: datetime) -> Bar:
    last = run.finished_at or end
    spans = [(each.started_at, each.finished_at or end) for each in run.attempts]
    if not spans and run.started_at is not None:
        spans = [(run.started_at, last)]
    return Bar(
        run.run_id,
        status_of_run(run.status),
        run.status not in NOT_SERVED,
        run.scheduled_for,
        _stretch(run.scheduled_for, last, begin, end),
        tuple(_stretch(first, until, begin, end) for first, until in spans if until >= begin),
        None if run.started_at is None else (last - run.started_at).total_seconds(),
    )


def _stretch(first: datetime, last: datetime, begin: datetime, end: datetime) -> Stretch:
    x = _x(first, begin, end)
    return Stretch(x, round(max(0.0, _x(last, begin, end) - x), 2))


def _x(at: datetime, begin: datetime, end: datetime) -> float:
    return round(min(1.0, max(0.0, (at - begin) / (end - begin))) * _WHOLE, 2)
