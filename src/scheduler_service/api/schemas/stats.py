"""Figures, as the API shows them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.api import examples
from scheduler_service.domain.outcomes import Spread
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.http.answers import Answer
from scheduler_service.services.stats import Stats


class SpreadOut(Answer):
    """The middle value, and the one that 95 of 100 stay at or below; null where there are none."""

    model_config = ConfigDict(title="Spread")

    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, spread: Spread) -> Self:
        """Show a spread."""
        return cls(p50=spread.p50, p95=spread.p95)


class Queue(Answer):
    """What has not ended yet."""

    queued: int
    retrying: int
    running: int
    oldest_queued_seconds: Annotated[float, Field(description="For how long the oldest queued run is due.")]


class Workers(Answer):
    """Who takes runs."""

    alive: int
    slots: int
    busy: int


class StatsOut(Answer):
    """The runs that ended within the window, and how things stand now."""

    model_config = ConfigDict(title="Stats", json_schema_extra={"examples": [examples.STATS]})

    window_seconds: float
    since: datetime
    until: datetime
    executed: Annotated[int, Field(description="Runs that succeeded or failed.")]
    executed_per_minute: float
    success_rate: Annotated[float | None, Field(description="Of those that were executed; null: there are none.")]
    by_status: dict[RunStatus, int]
    by_reason: dict[Reason, int]
    missed_instants: Annotated[int, Field(description="Instants that the `missed` rows stand for.")]
    duration_seconds: SpreadOut
    lateness_seconds: SpreadOut
    queue: Queue
    workers: Workers

    @classmethod
    def of(cls, stats: Stats) -> Self:
        """Show figures."""
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
