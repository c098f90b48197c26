"""Opens a process: all roles together, or a single one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from scheduler_service.bootstrap.base import open_base
from scheduler_service.bootstrap.data_dir import lock_data_dir
from scheduler_service.bootstrap.dispatcher import start_dispatcher
from scheduler_service.bootstrap.request_side import Service, make_service, open_broker, open_ping
from scheduler_service.bootstrap.worker import start_worker
from scheduler_service.brokers.local import LocalBroker
from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.listener import AttemptListener, RescueListener
from scheduler_service.engine.loop import WakeEvent, start_loop
from scheduler_service.engine.metrics_fold import DropCounter
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.slot_filler import SlotFiller
from scheduler_service.storage import migrations, workers
from scheduler_service.storage.opening import open_database


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start the request side, and in the embedded mode a dispatcher and a worker.

    The end of the block drains: claims stop, runs may end within `drain_seconds`, and the rest is requeued. Raise
    `ConfigurationError` if the start fails.
    """
    opened = _open_request_side(settings) if settings.is_distributed else _open_everything(settings)
    async with opened as service:
        yield service
        service.stopping.set()


@asynccontextmanager
async def open_worker(
    settings: Settings,
    take_dropped: Callable[[], int] = lambda: 0,
    listener: AttemptListener | None = None,
    monitor_name: str | None = None,
) -> AsyncIterator[SlotFiller]:
    """Start a worker of the distributed mode. The end of the block drains, as in `open_service`.

    `take_dropped` returns the number of messages dropped since its last call. `listener` receives each attempt.
    `monitor_name` is the worker's name in Celery monitors.
    """
    settings.prepare_data_dir()
    async with open_base(settings) as base:
        start_loop(base.stack, "drop_counter", DropCounter(base.database, take_dropped).fold)
        yield await start_worker(base, WakeEvent(), listener=listener, monitor_name=monitor_name)


@asynccontextmanager
async def open_dispatcher(settings: Settings, listener: RescueListener | None = None) -> AsyncIterator[Dispatcher]:
    """Start the loops of a dispatcher of the distributed mode. The caller calls `tick`.

    `listener` receives each attempt that ended with its worker.
    """
    async with open_base(settings) as base:
        yield start_dispatcher(base, open_broker(base), listener)


async def migrate(settings: Settings) -> migrations.Upgrade:
    """Apply pending migrations, as every start does. Raise `ConfigurationError` or `UnavailableError`."""
    settings.prepare_data_dir()
    async with AsyncExitStack() as stack:
        if settings.uses_sqlite:
            stack.enter_context(lock_data_dir(settings))
        return await migrations.upgrade(await stack.enter_async_context(open_database(settings)))


@asynccontextmanager
async def _open_everything(settings: Settings) -> AsyncIterator[Service]:
    settings.prepare_data_dir()
    with lock_data_dir(settings):
        async with open_base(settings) as base:
            dispatcher_wake, worker_wake = WakeEvent(), WakeEvent()
            broker = LocalBroker(worker_wake.set)
            if base.database.is_sqlite:
                await _rescue_from_predecessors(base)
            worker = await start_worker(base, worker_wake)
            dispatcher = start_dispatcher(base, broker)
            # Fire what came due during the downtime before the service reports readiness.
            await dispatcher.tick()
            await dispatcher.note_tick()
            start_loop(base.stack, "dispatch", dispatcher.tick, dispatcher_wake)
            service = make_service(base, broker, dispatcher_wake.set, refusal=worker.refusal)
            async with _claiming_until(service.stopping, worker):
                yield service


@asynccontextmanager
async def _claiming_until(stopping: asyncio.Event, worker: SlotFiller) -> AsyncIterator[None]:
    """Stop claims as soon as `stopping` is set. The drain comes later, after open connections."""

    async def stop() -> None:
        await stopping.wait()
        worker.stop_claiming()

    task = asyncio.create_task(stop())
    try:
        yield
    finally:
        task.cancel()


@asynccontextmanager
async def _open_request_side(settings: Settings) -> AsyncIterator[Service]:
    async with open_base(settings) as base:
        # Dispatchers are other processes; they see a new job at their next tick.
        yield make_service(base, open_broker(base), lambda: None, open_ping(base))


async def _rescue_from_predecessors(base: Base) -> None:
    """Rescue the runs of earlier processes at once. Holding the data directory's lock proves that they have ended."""
    rescuer = Rescuer(base.database, base.clock, worker_dead_seconds=base.settings.worker_dead_seconds)
    async with base.database.read() as connection:
        predecessors = await workers.living(connection)
    for worker in predecessors:
        await rescuer.mark_dead(worker)
