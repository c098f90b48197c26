"""The pulse: it stops as soon as instants are not served any more, in whatever process that is decided."""

from __future__ import annotations

from testkit.databases import NOON
from testkit.doubles import FakeClock
from tests.features.alerts.receiver import Receiver, hang

from scheduler_service.domain.run_state import WorkerState
from scheduler_service.engine.heartbeat_url import Pulse
from scheduler_service.services.health import HealthService
from scheduler_service.storage import dispatchers, workers
from scheduler_service.storage.database import Database


async def show_life(database: Database, clock: FakeClock, *, ticks: bool, works: bool) -> None:
    async with database.write() as connection:
        if ticks:
            await dispatchers.note_tick(connection, "of another process", clock.now())
        if works:
            await workers.beat(connection, "w", state=WorkerState.ALIVE, busy=0, now=clock.now())


async def test_it_is_withheld_while_no_dispatcher_ticks_or_no_worker_beats(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    health = HealthService(database, clock, heartbeat_seconds=1, tick_seconds=0.2)
    pulse = Pulse(f"{receiver.url}/pulse", 60, health.is_ready)
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
    for ticks, works, pulses in ((True, True, 1), (False, True, 1), (True, False, 1), (True, True, 2)):
        clock.advance(10)
        await show_life(database, clock, ticks=ticks, works=works)
        assert await pulse.beat() == 60
        assert len(receiver.of("/pulse")) == pulses


async def test_somebody_outside_who_does_not_answer_does_no_harm(receiver: Receiver, hurry: None) -> None:
    receiver.behaviours = {"/pulse": iter([hang])}

    async def is_well() -> bool:
        return True

    assert await Pulse(f"{receiver.url}/pulse", 60, is_well).beat() == 60
    assert await Pulse("http://a..b/", 60, is_well).beat() == 60
