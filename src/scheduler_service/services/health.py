"""Whether the service can do its work, as far as this process sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from scheduler_service.errors import UnavailableError
from scheduler_service.storage import workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.records import Worker


@dataclass(frozen=True, slots=True)
class Component:
    """One thing the service needs; `latency_seconds` is how long its answer took."""

    name: str
    is_healthy: bool
    detail: str
    latency_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """All components; the service is ready if every one of them is healthy."""

    components: tuple[Component, ...]

    @property
    def is_ready(self) -> bool:
        """Whether requests and runs are served."""
        return all(component.is_healthy for component in self.components)


class HealthService:
    """Looks at the components when asked."""

    def __init__(self, database: Database) -> None:
        """Look at this database and the workers it knows."""
        self._database = database

    async def check(self) -> Health:
        """Look at every component now; never raises for one that is ill."""
        before = time.perf_counter()
        try:
            async with self._database.read() as connection:
                living = await workers.living(connection)
        except UnavailableError as error:
            return Health((Component("database", is_healthy=False, detail=str(error)),))
        latency_seconds = time.perf_counter() - before
        database = Component("database", is_healthy=True, detail="answers", latency_seconds=latency_seconds)
        return Health((database, _workers(living)))


def _workers(living: list[Worker]) -> Component:
    slots = sum(worker.slots for worker in living)
    detail = f"{len(living)} alive, {slots} slots" if living else "none is alive: runs wait in the queue"
    return Component("workers", is_healthy=bool(living), detail=detail)
