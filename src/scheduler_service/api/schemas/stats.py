"""The statistics, as the API shows them, and their query parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field

from scheduler_service.domain.outcomes import OutcomeCount, Spread, Step
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.http.answers import Answer
from scheduler_service.payloads.text_pattern import TextPattern
from scheduler_service.services.input_models import Input
from scheduler_service.services.stats import JobStats, Stats

STATS: dict[str, Any] = {
    "window_seconds": 3600,
    "since": "2026-01-15T09:30:00Z",
    "until": "2026-01-15T10:30:00Z",
    "executed": 360,
    "executed_per_minute": 6.0,
    "success_rate": 0.975,
    "by_status": {"success": 351, "failed": 9, "missed": 1},
    "by_reason": {"exit_code": 8, "timeout": 1, "misfire": 1},
    "missed_instants": 12,
    "duration_seconds": {"p50": 0.8, "p95": 4.2},
    "lateness_seconds": {"p50": 0.02, "p95": 0.11},
    "is_exact": True,
    "series": None,
    "queue": {"queued": 2, "retrying": 1, "running": 4, "oldest_queued_seconds": 0.3},
    "workers": {"alive": 2, "slots": 8, "busy": 4},
}


JOB_STATS: dict[str, Any] = {
    "window_seconds": 604800,
    "since": "2026-01-08T10:30:00Z",
    "until": "2026-01-15T10:30:00Z",
    "executed": 1008,
    "success_rate": 0.99,
    "by_status": {"success": 998, "failed": 10},
    "by_reason": {"exit_code": 10},
    "missed_instants": 0,
    "duration_seconds": {"p50": 0.8, "p95": 4.2},
    "lateness_seconds": {"p50": 0.02, "p95": 0.11},
    "is_cut": False,
}

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _span(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


class WindowQuery(Input):
    """The window of the statistics."""

    window: Annotated[
        str,
        TextPattern(r"[1-9][0-9]{0,3}[mhd]", "1 to 9999 minutes, hours or days, such as 15m, 1h or 7d"),
        Field(
            description="Length of the window, 1 to 9999 minutes, hours or days, such as `15m`, `1h` or `7d`. Default "
            "`1h`."
        ),
    ] = "1h"

    def span(self) -> timedelta:
        """Return the window as a timedelta."""
        return _span(self.window)


class StatsQuery(WindowQuery):
    """The window of the statistics, and the steps of its series."""

    step: Annotated[
        Annotated[str, TextPattern(r"[1-9][0-9]{0,3}[mhd]", "1 to 9999 minutes, hours or days, such as 5m, 1h or 1d")]
        | None,
        Field(
            description="Also return a series with steps of this length, such as `5m`, `1h` or `1d`: up to 400 steps, "
            "in hours or days if the window exceeds three hours. Default: no series."
        ),
    ] = None

    def step_span(self) -> timedelta | None:
        """Return the length of a step as a timedelta, or None without a series."""
        return None if self.step is None else _span(self.step)


class SpreadOut(Answer):
    """The median and the 95th percentile, or null if there are no values."""

    model_config = ConfigDict(title="Spread")

    p50: Annotated[float | None, Field(description="Median. Null: no values.")]
    p95: Annotated[float | None, Field(description="95 % of the values are at most this. Null: no values.")]

    @classmethod
    def of(cls, spread: Spread) -> Self:
        """Return percentiles as the API shows them."""
        return cls(p50=spread.p50, p95=spread.p95)


class StepOut(Answer):
    """The runs that ended within one step."""

    model_config = ConfigDict(title="Step")

    at: Annotated[datetime, Field(description="Beginning of the step.")]
    by_status: Annotated[dict[RunStatus, int], Field(description="Number of runs by final state.")]
    duration_seconds: Annotated[SpreadOut, Field(description="Duration of its runs, in seconds, interpolated.")]

    @classmethod
    def of(cls, step: Step) -> Self:
        """Return a step as the API shows it."""
        return cls(at=step.at, by_status=dict(step.by_status), duration_seconds=SpreadOut.of(step.duration_seconds))


class Queue(Answer):
    """The runs that have not ended."""

    queued: Annotated[int, Field(description="Runs in state `queued`.")]
    retrying: Annotated[int, Field(description="Runs in state `retrying`: they wait for their next attempt.")]
    running: Annotated[int, Field(description="Runs in state `running`.")]
    oldest_queued_seconds: Annotated[
        float, Field(description="How long the oldest queued run has been due, in seconds. 0: none is queued.")
    ]


class Workers(Answer):
    """The workers that claim runs."""

    alive: Annotated[int, Field(description="Workers that take runs.")]
    slots: Annotated[int, Field(description="Runs that these workers can execute at the same time.")]
    busy: Annotated[int, Field(description="Slots in use.")]


class WindowFigures(Answer):
    """Figures about the runs that ended within a window."""

    window_seconds: Annotated[float, Field(description="Length of the window, in seconds.")]
    since: Annotated[datetime, Field(description="Start of the window.")]
    until: Annotated[datetime, Field(description="End of the window: now.")]
    executed: Annotated[int, Field(description="Runs that succeeded or failed.")]
    success_rate: Annotated[
        float | None, Field(description="Share of these runs that succeeded, 0 to 1. Null: there are none.")
    ]
    by_status: Annotated[dict[RunStatus, int], Field(description="Number of runs by final state.")]
    by_reason: Annotated[dict[Reason, int], Field(description="Number of runs by reason.")]
    missed_instants: Annotated[int, Field(description="Number of instants that `missed` rows stand for.")]
    duration_seconds: Annotated[SpreadOut, Field(description="Duration of runs, in seconds.")]
    lateness_seconds: Annotated[
        SpreadOut, Field(description="Lateness of runs, in seconds: from the scheduled instant to the start.")
    ]


class StatsOut(WindowFigures):
    """Figures about the runs that ended within the window, and the current state."""

    model_config = ConfigDict(title="Stats", json_schema_extra={"examples": [STATS]})

    executed_per_minute: Annotated[float, Field(description="Average number of `executed` runs in a minute.")]
    is_exact: Annotated[
        bool,
        Field(
            description="Whether the percentiles are exact. With more than 4,000 runs in the window they are "
            "interpolated between bounds that lie a quarter apart, and the window begins at a full hour."
        ),
    ]
    series: Annotated[list[StepOut] | None, Field(description="The steps of the window. Null without `step`.")]
    queue: Annotated[Queue, Field(description="Runs that have not ended, now.")]
    workers: Annotated[Workers, Field(description="Workers that take runs, now.")]

    @classmethod
    def of(cls, stats: Stats) -> Self:
        """Return figures as the API shows them."""
        standing = stats.standing
        return cls(
            window_seconds=(stats.until - stats.since).total_seconds(),
            since=stats.since,
            until=stats.until,
            executed=stats.executed,
            executed_per_minute=round(stats.executed_per_minute, 6),
            success_rate=stats.success_rate,
            **_counts(stats.outcomes),
            duration_seconds=SpreadOut.of(stats.duration_seconds),
            lateness_seconds=SpreadOut.of(stats.lateness_seconds),
            is_exact=stats.is_exact,
            series=None if stats.series is None else [StepOut.of(step) for step in stats.series],
            queue=Queue(
                queued=standing.queued,
                retrying=standing.retrying,
                running=standing.running,
                oldest_queued_seconds=standing.oldest_queued_seconds,
            ),
            workers=Workers(alive=standing.workers, slots=standing.slots, busy=standing.busy),
        )


def _counts(outcomes: Iterable[OutcomeCount]) -> dict[str, Any]:
    statuses: Counter[RunStatus] = Counter()
    reasons: Counter[Reason] = Counter()
    missed = 0
    for outcome in outcomes:
        statuses[outcome.status] += outcome.rows
        if outcome.reason is not None:
            reasons[outcome.reason] += outcome.rows
        missed += outcome.instants if outcome.status is RunStatus.MISSED else 0
    return {"by_status": dict(statuses), "by_reason": dict(reasons), "missed_instants": missed}


class JobStatsOut(WindowFigures):
    """Figures about the runs of a job that ended within the window."""

    model_config = ConfigDict(title="JobStats", json_schema_extra={"examples": [JOB_STATS]})

    is_cut: Annotated[bool, Field(description="Whether only the newest 10,000 rows were counted.")]

    @classmethod
    def of(cls, stats: JobStats) -> Self:
        """Return figures of a job as the API shows them."""
        return cls(
            window_seconds=(stats.until - stats.since).total_seconds(),
            since=stats.since,
            until=stats.until,
            executed=stats.ended.executed,
            success_rate=stats.ended.success_rate,
            **_counts(stats.ended.outcomes),
            duration_seconds=SpreadOut.of(stats.ended.duration_seconds),
            lateness_seconds=SpreadOut.of(stats.ended.lateness_seconds),
            is_cut=stats.is_cut,
        )
