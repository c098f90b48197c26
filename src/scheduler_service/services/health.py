"""Checks whether the service works. Every process reports the same state, at most a few seconds old."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler_service.domain.records import Worker
from scheduler_service.errors import UnavailableError
from scheduler_service.services.liveness import Liveness, is_ticking, liveness, tick_age_seconds
from scheduler_service.storage import dispatchers, migrations, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

# Time limit for the database and for the broker.
HEALTH_CHECK_SECONDS = 2.0
# Shorter than the interval of any probe.
RECENT_SECONDS = 0.25

Ping = Callable[[], Awaitable[None]]
"""Return if the dependency responds, or raise `UnavailableError`."""


class HealthStatus(StrEnum):
    """The status of a component. `degraded` means that runs may be late, but none is lost."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Component:
    """A part that the service needs. `latency_seconds` is its response time."""

    name: str
    status: HealthStatus
    detail: str
    latency_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The status of all components that could be checked."""

    components: tuple[Component, ...]

    @property
    def status(self) -> HealthStatus:
        """Return the worst status of all components."""
        statuses = {component.status for component in self.components}
        worst_first = (HealthStatus.FAILING, HealthStatus.DEGRADED, HealthStatus.OK)
        return next(status for status in worst_first if status in statuses)

    @property
    def is_ready(self) -> bool:
        """Return whether requests and runs are served."""
        return self.status is not HealthStatus.FAILING


class HealthService:
    """Checks the components on request."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        heartbeat_seconds: float,
        tick_seconds: float,
        ping_broker: Ping | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check this database and the processes in it. `ping_broker` None means that the broker is in this process."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._tick_seconds = tick_seconds
        self._ping_broker = ping_broker
        self._monotonic = monotonic
        self._checking = asyncio.Lock()
        self._checked_at = 0.0
        self._seen: Health | None = None

    async def recent(self) -> Health:
        """Return the state of every component, checked at most RECENT_SECONDS ago.

        Requests that arrive together share a check, so that any number of probes costs the database little.
        """
        async with self._checking:
            if self._monotonic() - self._checked_at >= RECENT_SECONDS or self._seen is None:
                self._seen = await self.check()
                self._checked_at = self._monotonic()
            return self._seen

    async def check(self) -> Health:
        """Check every component. Never raise for a failed component, and never wait long for one."""
        seen, broker = await asyncio.gather(self._check_database(), self._check_broker())
        return Health((*seen, *broker))

    async def is_ready(self) -> bool:
        """Return whether requests and runs are served."""
        return (await self.check()).is_ready

    async def _check_database(self) -> list[Component]:
        before = time.perf_counter()
        try:
            async with asyncio.timeout(HEALTH_CHECK_SECONDS), self._database.read() as connection:
                is_current = await migrations.is_current(connection)
                latency_seconds = time.perf_counter() - before
                if not is_current:
                    return [_answering(latency_seconds), _OUTDATED]
                living = await workers.living(connection)
                ticked_at = await dispatchers.last_ticked_at(connection)
        except UnavailableError as error:
            return [Component("database", HealthStatus.FAILING, str(error))]
        except TimeoutError:
            return [Component("database", HealthStatus.FAILING, f"has not answered for {HEALTH_CHECK_SECONDS:g} s")]
        now = self._clock.now()
        seen = [(worker, liveness(worker, now, self._heartbeat_seconds)) for worker in living]
        return [
            _answering(latency_seconds),
            _CURRENT,
            self._dispatcher(ticked_at, now),
            _workers([worker for worker, how in seen if how is Liveness.ALIVE]),
            *_sandbox(seen),
        ]

    async def _check_broker(self) -> list[Component]:
        if self._ping_broker is None:
            return []
        before = time.perf_counter()
        try:
            async with asyncio.timeout(HEALTH_CHECK_SECONDS):
                await self._ping_broker()
        except (UnavailableError, TimeoutError):
            # Workers poll the database every second, so runs still start.
            return [Component("broker", HealthStatus.DEGRADED, "does not answer: runs begin up to some seconds late")]
        return [Component("broker", HealthStatus.OK, "answers", time.perf_counter() - before)]

    def _dispatcher(self, ticked_at: datetime | None, now: datetime) -> Component:
        age_seconds = tick_age_seconds(ticked_at, now)
        if is_ticking(age_seconds, self._tick_seconds):
            return Component("dispatcher", HealthStatus.OK, "ticks")
        last = "none has ticked for an hour" if age_seconds is None else f"none has ticked for {age_seconds:.0f} s"
        return Component("dispatcher", HealthStatus.FAILING, f"{last}: nothing is fired")


def _workers(ready: Sequence[Worker]) -> Component:
    if not ready:
        return Component("workers", HealthStatus.FAILING, "no worker is ready: runs stay queued")
    slots = sum(worker.slots for worker in ready)
    return Component("workers", HealthStatus.OK, f"{len(ready)} ready, {slots} slots")


def _sandbox(seen: Sequence[tuple[Worker, Liveness]]) -> list[Component]:
    """Return the isolation level of runs, and the sandbox errors of workers that cannot run any."""
    held = Counter(worker.sandbox_level for worker, how in seen if how in {Liveness.ALIVE, Liveness.DRAINING})
    unfit = [worker for worker, how in seen if how is Liveness.UNFIT]
    if unfit:
        status = HealthStatus.DEGRADED if held else HealthStatus.FAILING
        more = f" (and {len(unfit) - 1} more)" if len(unfit) > 1 else ""
        return [Component("sandbox", status, f"worker {unfit[0].id}{more} claims no runs: {unfit[0].unfit_reason}")]
    levels = ", ".join(sorted(level for level in held if level is not None))
    return [Component("sandbox", HealthStatus.OK, f"runs are held at {levels}")] if levels else []


_CURRENT = Component("migrations", HealthStatus.OK, "the tables are up to date")
_OUTDATED = Component("migrations", HealthStatus.FAILING, "the tables are of another version; run: scheduler migrate")


def _answering(latency_seconds: float) -> Component:
    return Component("database", HealthStatus.OK, "answers", latency_seconds)
