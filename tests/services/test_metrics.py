"""Metrics of workers."""

from __future__ import annotations

from testkit.databases import NOON
from testkit.doubles import FakeClock

from scheduler_service.domain.run_state import WorkerState
from scheduler_service.services.metrics import MetricsService
from scheduler_service.storage import workers
from scheduler_service.storage.database import Database


async def test_worker_with_lent_slots_takes_none_from_others(database: Database, clock: FakeClock) -> None:
    async with database.write() as connection:
        for name, busy in (("idle", 1), ("full", 3)):
            await workers.register(connection, name, host="h", pid=1, slots=2, now=NOON)
            await workers.beat(connection, name, state=WorkerState.ALIVE, busy=busy, now=NOON)

    metrics = await MetricsService(database, clock, heartbeat_seconds=1).read()

    slots = next(metric for metric in metrics if metric.name == "scheduler_slots")
    assert {sample.labels["state"]: sample.value for sample in slots.samples} == {"busy": 4, "free": 1}
