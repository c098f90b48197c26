"""Builds the Prometheus metrics from the database. Every process reports the same values."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate, product
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import TERMINAL, JobStatus, RunStatus
from scheduler_service.errors import UnavailableError
from scheduler_service.payloads.registry import kinds
from scheduler_service.services.health import Ping
from scheduler_service.services.liveness import Liveness, liveness, tick_age_seconds
from scheduler_service.storage import figures
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.events import FAULTED, FENCED
from scheduler_service.storage.figures import Figures
from scheduler_service.storage.totals import (
    BEYOND,
    DURATION_BOUNDS,
    LATENESS_BOUNDS,
    MESSAGE_DROPPED,
    UNMEASURED,
    Total,
)

# Time limit. Prometheus gives up after 10 s by default.
SCRAPE_SECONDS = 3.0
Label = TypeVar("Label", bound=str)
ReadMetrics = Callable[[AsyncConnection], Awaitable[Sequence[Metric]]]
"""Reads metrics of a feature from the snapshot of a scrape."""


class MetricsService:
    """Collects the metrics of the database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        heartbeat_seconds: float,
        ping_broker: Ping | None = None,
        of_features: Sequence[ReadMetrics] = (),
    ) -> None:
        """Expect a heartbeat every `heartbeat_seconds`. `ping_broker` None means that the broker is in this process."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._ping_broker = ping_broker
        self._of_features = of_features

    async def read(self) -> list[Metric]:
        """Return all metrics from one snapshot.

        If the database is unavailable, return its state and the broker's only.
        """
        found, broker_is_up = await asyncio.gather(self._look_at_database(), self._broker_answers())
        ups = [
            _up("scheduler_database_up", "Whether the database answers.", is_up=found is not None),
            _up("scheduler_broker_up", "Whether the broker answers; one in the process does.", is_up=broker_is_up),
        ]
        if found is None:
            return ups
        core, of_features = found
        return [*ups, *_metrics(core, self._clock.now(), self._heartbeat_seconds), *of_features]

    async def _look_at_database(self) -> tuple[Figures, list[Metric]] | None:
        try:
            async with asyncio.timeout(SCRAPE_SECONDS), self._database.snapshot() as snapshot:
                of_features = [metric for read in self._of_features for metric in await read(snapshot)]
                return await figures.read(snapshot), of_features
        except (UnavailableError, TimeoutError):
            return None

    async def _broker_answers(self) -> bool:
        try:
            async with asyncio.timeout(SCRAPE_SECONDS):
                if self._ping_broker is not None:
                    await self._ping_broker()
        except (UnavailableError, TimeoutError):
            return False
        return True


def _up(name: str, text: str, *, is_up: bool) -> Metric:
    return GaugeMetricFamily(name, text, value=float(is_up))


def _metrics(found: Figures, now: datetime, heartbeat_seconds: float) -> Iterator[Metric]:
    yield _runs(found.totals)
    missed = sum(total.missed_count for total in found.totals)
    yield CounterMetricFamily("scheduler_missed_instants", "Instants that `missed` rows stand for.", value=missed)
    fenced = sum(total.count for total in found.totals if total.change == FENCED)
    yield CounterMetricFamily("scheduler_fenced_writes", "Stale attempts that were kept from writing.", value=fenced)
    dropped = sum(total.count for total in found.totals if total.change == MESSAGE_DROPPED)
    text = "Items of the broker's queues that workers dropped, as they were no messages of this service."
    yield CounterMetricFamily("scheduler_messages_dropped", text, value=dropped)
    faults = sum(total.count for total in found.totals if total.change == FAULTED)
    text = "Claims that were undone since the sandbox of a worker could not begin; they are no attempts."
    yield CounterMetricFamily("scheduler_sandbox_faults", text, value=faults)
    yield _durations(found.totals)
    yield _latenesses(found.totals)
    yield from _queue(found, now)
    yield from _workers(found, now, heartbeat_seconds)
    text = "Jobs that are not deleted, by status."
    yield _gauge("scheduler_jobs", text, "status", {status: found.jobs.get(status, 0) for status in JobStatus})
    age = tick_age_seconds(found.ticked_at, now)
    text = "Seconds since the end of the last tick of any dispatcher; +Inf: none for an hour."
    yield GaugeMetricFamily("scheduler_dispatcher_tick_age_seconds", text, value=float("inf") if age is None else age)


def _runs(totals: Iterable[Total]) -> Metric:
    # Export zero from the first scrape. Prometheus cannot see the step of a counter that starts at one, and a rate of a
    # missing counter is empty instead of 0.
    counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(product(TERMINAL, kinds()), 0))
    for total in totals:
        if total.change in TERMINAL:
            counts[total.change, total.payload_type] += total.count
    text = "Rows of the ledger that came to their end, by what they came to."
    family = CounterMetricFamily("scheduler_runs", text, labels=["status", "payload_type"])
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


def _durations(totals: Iterable[Total]) -> Metric:
    counts: Counter[int] = Counter()
    seconds = 0.0
    for total in totals:
        counts[total.duration_bucket] += total.count
        seconds += total.duration_seconds
    return _histogram(
        "scheduler_run_duration_seconds",
        "How long runs ran that came to their end, by their last attempt.",
        DURATION_BOUNDS,
        counts,
        seconds,
    )


def _latenesses(totals: Iterable[Total]) -> Metric:
    counts: Counter[int] = Counter()
    seconds = 0.0
    for total in totals:
        counts[total.lateness_bucket] += total.count
        seconds += total.lateness_seconds
    text = "From the instant that a run is due to the begin of its first attempt."
    return _histogram("scheduler_fire_lateness_seconds", text, LATENESS_BOUNDS, counts, seconds)


def _histogram(name: str, text: str, bounds: tuple[int, ...], counts: Counter[int], seconds: float) -> Metric:
    del counts[UNMEASURED]
    # Values in a bucket of an older version count in the next larger one.
    own = [sum(count for bucket, count in counts.items() if low < bucket <= high) for low, high in _ranges(bounds)]
    limits = [*(str(bound / 1000) for bound in bounds), "+Inf"]
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets=list(zip(limits, accumulate(own), strict=True)), sum_value=seconds)
    return family


def _ranges(bounds: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip((UNMEASURED, *bounds), (*bounds, BEYOND), strict=True)


def _queue(found: Figures, now: datetime) -> Iterator[Metric]:
    waiting = {status: found.active.get(status, 0) for status in (RunStatus.QUEUED, RunStatus.RETRYING)}
    yield _gauge("scheduler_queue_length", "Runs that wait, by status.", "status", waiting)
    since = found.queued_since
    age = 0.0 if since is None else max(0.0, (now - since).total_seconds())
    yield GaugeMetricFamily("scheduler_oldest_queued_seconds", "For how long the oldest queued run is due.", value=age)


def _workers(found: Figures, now: datetime, heartbeat_seconds: float) -> Iterator[Metric]:
    seen = [(worker, liveness(worker, now, heartbeat_seconds)) for worker in found.workers]
    counts = Counter(state for _, state in seen)
    states = {state: counts[state] for state in Liveness}
    yield _gauge("scheduler_workers", "Workers by state; the dead are kept for an hour.", "state", states)
    present = [worker for worker, state in seen if state in {Liveness.ALIVE, Liveness.DRAINING, Liveness.UNFIT}]
    taking = [worker for worker, state in seen if state is Liveness.ALIVE]
    # Runs that end or wait have lent their slots, so a worker can have more runs than slots.
    free = sum(max(0, worker.slots - worker.busy) for worker in taking)
    slots = {"busy": sum(worker.busy for worker in present), "free": free}
    yield _gauge("scheduler_slots", "Slots of the workers that are there, by state.", "state", slots)
    levels = Counter(worker.sandbox_level or "unknown" for worker in present)
    yield _gauge("scheduler_sandbox_workers", "Workers by the level of their sandbox.", "level", dict(levels))


def _gauge(name: str, text: str, label: str, values: Mapping[Label, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
