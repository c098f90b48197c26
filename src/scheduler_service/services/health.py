"""Whether the service can do its work: the truth of no more than some seconds ago, from every process alike."""

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
from scheduler_service.services.liveness import Presence, is_ticking, presence, tick_age_seconds
from scheduler_service.storage import dispatchers, migrations, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

# For the database, and for the broker, to answer.
HEALTH_CHECK_SECONDS = 2.0

Ping = Callable[[], Awaitable[None]]
"""Returns if something answers; raises `UnavailableError`."""


class Verdict(StrEnum):
    """How something is: `degraded` costs promptness, but work goes on."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Component:
    """One thing the service needs; `latency_seconds` is how long its answer took."""

    name: str
    verdict: Verdict
    detail: str
    latency_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """All components that could be looked at."""

    components: tuple[Component, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        verdicts = {component.verdict for component in self.components}
        return next(verdict for verdict in (Verdict.FAILING, Verdict.DEGRADED, Verdict.OK) if verdict in verdicts)

    @property
    def is_ready(self) -> bool:
        """Whether requests and runs are served."""
        return self.verdict is not Verdict.FAILING


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
    ) -> None:
        """Check this database and the processes it knows; `ping_broker` None means a broker inside this process."""
        self._database = database
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._tick_seconds = tick_seconds
        self._ping_broker = ping_broker

    async def check(self) -> Health:
        """Check every component now. Never raises for one that fails, and never waits long for it."""
        seen, broker = await asyncio.gather(self._look_at_database(), self._look_at_broker())
        return Health((*seen, *broker))

    async def is_ready(self) -> bool:
        """Return whether requests and runs are served."""
        return (await self.check()).is_ready

    async def _look_at_database(self) -> list[Component]:
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
            return [Component("database", Verdict.FAILING, str(error))]
        except TimeoutError:
            return [Component("database", Verdict.FAILING, f"has not answered for {HEALTH_CHECK_SECONDS:g} s")]
        now = self._clock.now()
        seen = [(worker, presence(worker, now, self._heartbeat_seconds)) for worker in living]
        return [
            _answering(latency_seconds),
            _CURRENT,
            self._dispatcher(ticked_at, now),
            _workers([worker for worker, how in seen if how is Presence.ALIVE]),
            *_sandbox(seen),
        ]

    async def _look_at_broker(self) -> list[Component]:
        if self._ping_broker is None:
            return []
        before = time.perf_counter()
        try:
            async with asyncio.timeout(HEALTH_CHECK_SECONDS):
                await self._ping_broker()
        except (UnavailableError, TimeoutError):
            # The database is the truth, and workers look at it every second.
            return [Component("broker", Verdict.DEGRADED, "does not answer: runs begin up to some seconds late")]
        return [Component("broker", Verdict.OK, "answers", time.perf_counter() - before)]

    def _dispatcher(self, ticked_at: datetime | None, now: datetime) -> Component:
        age_seconds = tick_age_seconds(ticked_at, now)
        if is_ticking(age_seconds, self._tick_seconds):
            return Component("dispatcher", Verdict.OK, "ticks")
        last = "none has ticked for an hour" if age_seconds is None else f"none has ticked for {age_seconds:.0f} s"
        return Component("dispatcher", Verdict.FAILING, f"{last}: nothing is fired")


def _workers(taking: Sequence[Worker]) -> Component:
    if not taking:
        return Component("workers", Verdict.FAILING, "none is there that takes runs: they wait in the queue")
    slots = sum(worker.slots for worker in taking)
    return Component("workers", Verdict.OK, f"{len(taking)} alive, {slots} slots")


def _sandbox(seen: Sequence[tuple[Worker, Presence]]) -> list[Component]:
    """Return at which level runs are held, and of workers that cannot hold any what their sandbox fails on."""
    held = Counter(worker.sandbox_level for worker, how in seen if how in {Presence.ALIVE, Presence.DRAINING})
    unfit = [worker for worker, how in seen if how is Presence.UNFIT]
    if unfit:
        verdict = Verdict.DEGRADED if held else Verdict.FAILING
        more = f" (and {len(unfit) - 1} more)" if len(unfit) > 1 else ""
        return [Component("sandbox", verdict, f"worker {unfit[0].id}{more} takes no runs: {unfit[0].unfit_reason}")]
    levels = ", ".join(sorted(level for level in held if level is not None))
    return [Component("sandbox", Verdict.OK, f"runs are held at {levels}")] if levels else []


_CURRENT = Component("migrations", Verdict.OK, "the tables are up to date")
_OUTDATED = Component("migrations", Verdict.FAILING, "the tables are of another version; run: scheduler migrate")


def _answering(latency_seconds: float) -> Component:
    return Component("database", Verdict.OK, "answers", latency_seconds)
