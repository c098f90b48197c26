"""The endpoint of statistics."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.domain.outcomes import Spread
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.payloads.text_pattern import TextPattern
from scheduler_service.services.input_models import Input
from scheduler_service.services.stats import Stats

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
    "queue": {"queued": 2, "retrying": 1, "running": 4, "oldest_queued_seconds": 0.3},
    "workers": {"alive": 2, "slots": 8, "busy": 4},
}


class StatsQuery(Input):
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
        units = {"m": "minutes", "h": "hours", "d": "days"}
        return timedelta(**{units[self.window[-1]]: int(self.window[:-1])})


class SpreadOut(Answer):
    """The median and the 95th percentile, or null if there are no values."""

    model_config = ConfigDict(title="Spread")

    p50: Annotated[float | None, Field(description="Median. Null: no values.")]
    p95: Annotated[float | None, Field(description="95 % of the values are at most this. Null: no values.")]

    @classmethod
    def of(cls, spread: Spread) -> Self:
        """Return percentiles as the API shows them."""
        return cls(p50=spread.p50, p95=spread.p95)


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


class StatsOut(Answer):
    """Figures about the runs that ended within the window, and the current state."""

    model_config = ConfigDict(title="Stats", json_schema_extra={"examples": [STATS]})

    window_seconds: Annotated[float, Field(description="Length of the window, in seconds.")]
    since: Annotated[datetime, Field(description="Start of the window.")]
    until: Annotated[datetime, Field(description="End of the window: now.")]
    executed: Annotated[int, Field(description="Runs that succeeded or failed.")]
    executed_per_minute: Annotated[float, Field(description="Average number of these runs in a minute.")]
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
    queue: Annotated[Queue, Field(description="Runs that have not ended, now.")]
    workers: Annotated[Workers, Field(description="Workers that take runs, now.")]

    @classmethod
    def of(cls, stats: Stats) -> Self:
        """Return figures as the API shows them."""
        statuses: Counter[RunStatus] = Counter()
        reasons: Counter[Reason] = Counter()
        for outcome in stats.outcomes:
            statuses[outcome.status] += outcome.rows
            if outcome.reason is not None:
                reasons[outcome.reason] += outcome.rows
        missed = (outcome.instants for outcome in stats.outcomes if outcome.status is RunStatus.MISSED)
        standing = stats.standing
        return cls(
            window_seconds=(stats.until - stats.since).total_seconds(),
            since=stats.since,
            until=stats.until,
            executed=stats.executed,
            executed_per_minute=round(stats.executed_per_minute, 6),
            success_rate=stats.success_rate,
            by_status=dict(statuses),
            by_reason=dict(reasons),
            missed_instants=sum(missed),
            duration_seconds=SpreadOut.of(stats.duration_seconds),
            lateness_seconds=SpreadOut.of(stats.lateness_seconds),
            queue=Queue(
                queued=standing.queued,
                retrying=standing.retrying,
                running=standing.running,
                oldest_queued_seconds=standing.oldest_queued_seconds,
            ),
            workers=Workers(alive=standing.workers, slots=standing.slots, busy=standing.busy),
        )


router = APIRouter(
    prefix="/api/v1/stats", tags=["stats"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)


@router.get(
    "",
    operation_id="getStats",
    summary="Get statistics of a window",
    responses={200: answer("Figures of the window, and how things stand now.", STATS), **refusals()},
)
async def get_stats(query: Annotated[StatsQuery, Query()], service: CurrentService, caller: CurrentCaller) -> StatsOut:
    """Figures about the runs that ended within the window, and the current state of queue and workers."""
    return StatsOut.of(await service.stats.read(caller, query.span()))
