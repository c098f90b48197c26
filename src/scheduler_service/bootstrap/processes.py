"""What a process is opened as: everything, or one role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from scheduler_service.bootstrap.base import open_base
from scheduler_service.bootstrap.data_dir import only_process_on
from scheduler_service.bootstrap.dispatcher import start_dispatcher
from scheduler_service.bootstrap.request_side import Service, make_service, open_broker, open_ping
from scheduler_service.bootstrap.worker import start_worker
from scheduler_service.brokers.local import LocalBroker
from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.listener import AttemptListener
from scheduler_service.engine.loop import WakeEvent, start_loop
from scheduler_service.engine.metrics_fold import DropCounter
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.worker import Worker
from scheduler_service.storage import migrations, workers
from scheduler_service.storage.opening import open_database

# How long a polling worker leaves a run to the worker that gets its notice.
NOTICE_SECONDS = 1.0


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start what this process runs: the request side, and in the embedded setting a dispatcher and a worker, too.

    At the end of the block it drains: nothing more is claimed, what runs may end within `drain_seconds`, the rest is
    handed back. Raises `ConfigurationError` where the start is not possible.
    """
    opened = _open_request_side(settings) if settings.is_distributed else _open_everything(settings)
    async with opened as service:
        yield service
        service.stopping.set()


@asynccontextmanager
async def open_worker(
    settings: Settings, take_dropped: Callable[[], int] = lambda: 0, listener: AttemptListener | None = None
) -> AsyncIterator[Worker]:
    """Start a worker of the distributed setting; at the end of the block it drains, as `open_service` says.

    `take_dropped` returns how many messages were dropped since the last call; `listener` hears of each attempt.
    """
    settings.prepare_data_dir()
    async with open_base(settings) as base:
        start_loop(base.stack, "dropped messages", DropCounter(base.database, take_dropped).note)
        yield await start_worker(base, WakeEvent(), notice_seconds=NOTICE_SECONDS, listener=listener)


@asynccontextmanager
async def open_dispatcher(settings: Settings) -> AsyncIterator[Dispatcher]:
    """Start the loops of a dispatcher of the distributed setting, but for the ticks: the caller does these."""
    async with open_base(settings) as base:
        yield start_dispatcher(base, open_broker(base))


async def migrate(settings: Settings) -> migrations.Upgrade:
    """Bring the database to the newest shape, as every start does. Raises `ConfigurationError`, `UnavailableError`."""
    settings.prepare_data_dir()
    async with AsyncExitStack() as stack:
        if settings.uses_sqlite:
            stack.enter_context(only_process_on(settings))
        return await migrations.upgrade(await stack.enter_async_context(open_database(settings)))


@asynccontextmanager
async def _open_everything(settings: Settings) -> AsyncIterator[Service]:
    settings.prepare_data_dir()
    with only_process_on(settings):
        async with open_base(settings) as base:
            dispatcher_wake, worker_wake = WakeEvent(), WakeEvent()
            broker = LocalBroker(worker_wake.set)
            if base.database.is_sqlite:
                await _bury_predecessors(base)
            worker = await start_worker(base, worker_wake)
            dispatcher = start_dispatcher(base, broker)
            # What came due while the service was down is fired before it says that it is ready.
            await dispatcher.tick()
            await dispatcher.note_tick()
            start_loop(base.stack, "dispatch", dispatcher.tick, dispatcher_wake)
            service = make_service(base, broker, dispatcher_wake.set, refusal=worker.refusal)
            async with _claiming_until(service.stopping, worker):
                yield service


@asynccontextmanager
async def _claiming_until(stopping: asyncio.Event, worker: Worker) -> AsyncIterator[None]:
    """Stop claims at the first sign of the end, since the drain comes after open connections."""

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
        # The dispatchers are other processes: they see a new job at their next tick.
        yield make_service(base, open_broker(base), lambda: None, open_ping(base))


async def _bury_predecessors(base: Base) -> None:
    """Rescue at once what an earlier process left running: the lock says that it is no more, no need to wait."""
    rescuer = Rescuer(base.database, base.clock, worker_dead_seconds=base.settings.worker_dead_seconds)
    async with base.database.read() as connection:
        predecessors = await workers.living(connection)
    for worker in predecessors:
        await rescuer.mark_dead(worker)
