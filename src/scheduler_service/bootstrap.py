"""The only wiring: puts the rooms together for a process, starts its loops, and takes it down in good order."""

from __future__ import annotations

import asyncio
import fcntl
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import structlog

from scheduler_service import sandbox
from scheduler_service.brokers.base import Broker
from scheduler_service.brokers.local import LocalBroker
from scheduler_service.config import Settings
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.loop import Bell, Step, turn
from scheduler_service.engine.node import Node
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.retention import Pruner
from scheduler_service.engine.worker import Worker
from scheduler_service.errors import ConfigurationError
from scheduler_service.services.health import HealthService
from scheduler_service.services.jobs import JobService
from scheduler_service.services.runs import RunService
from scheduler_service.services.schedules import ScheduleService
from scheduler_service.storage import migrations, workers
from scheduler_service.storage.clock import DatabaseClock
from scheduler_service.storage.database import Database

CLOCK_SYNC_SECONDS = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """What the request side of a process needs. `stopping` is set when the process begins to go down."""

    settings: Settings
    jobs: JobService
    runs: RunService
    schedules: ScheduleService
    health: HealthService
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start what this process runs, in the embedded setting: the request side, a dispatcher, a worker.

    At the end of the block it drains: nothing more is claimed, what runs may end within `drain_seconds`, the rest is
    handed back. Raises `ConfigurationError` where the start is not possible.
    """
    settings.prepare_data_dir()
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_process_on(settings))
        database = await _open_database(stack, settings)
        clock = DatabaseClock(database)
        await clock.sync()
        dispatcher_bell, worker_bell = Bell(), Bell()
        broker = LocalBroker(worker_bell.ring)
        service = Service(
            settings=settings,
            jobs=JobService(database, broker, clock, dispatcher_bell.ring),
            runs=RunService(database, broker, clock),
            schedules=ScheduleService(clock),
            health=HealthService(database),
        )
        if database.is_sqlite:
            await _bury_predecessors(settings, database, clock)
        await _start_worker(stack, settings, database, clock, worker_bell)
        await _start_dispatcher(stack, settings, database, clock, broker, dispatcher_bell)
        yield service
        service.stopping.set()


async def migrate(settings: Settings) -> migrations.Upgrade:
    """Bring the database to the newest shape, as every start does. Raises `ConfigurationError`, `UnavailableError`."""
    settings.prepare_data_dir()
    async with AsyncExitStack() as stack:
        database = Database(settings.effective_database_url)
        stack.push_async_callback(database.close)
        if database.is_sqlite:
            stack.enter_context(_only_process_on(settings))
        return await migrations.upgrade(database)


@contextmanager
def _only_process_on(settings: Settings) -> Iterator[None]:
    """Hold the data directory: SQLite has one writing process (see `Database`), and runs have their files there.

    The kernel drops the lock with the process, however that ends.
    """
    path = settings.data_dir / "lock"
    with path.open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = str(settings.data_dir.absolute())
            raise ConfigurationError(
                f"SCHEDULER_DATA_DIR: another instance is already running on {where}; stop it or name another directory"
            ) from None
        yield


async def _open_database(stack: AsyncExitStack, settings: Settings) -> Database:
    database = Database(settings.effective_database_url)
    stack.push_async_callback(database.close)
    await migrations.upgrade(database)
    return database


async def _bury_predecessors(settings: Settings, database: Database, clock: DatabaseClock) -> None:
    """Rescue at once what an earlier process left running: the lock says that it is no more, no need to wait."""
    rescuer = Rescuer(database, clock, worker_dead_seconds=settings.worker_dead_seconds)
    async with database.read() as connection:
        predecessors = await workers.living(connection)
    for worker in predecessors:
        await rescuer.bury(worker)


async def _start_worker(
    stack: AsyncExitStack, settings: Settings, database: Database, clock: DatabaseClock, bell: Bell
) -> None:
    box = sandbox.create(settings.sandbox, settings.data_dir / "runs", settings.slots)
    await box.start()
    stack.push_async_callback(box.stop)
    node = Node(
        database,
        clock,
        slots=settings.slots,
        heartbeat_seconds=settings.heartbeat_seconds,
        worker_dead_seconds=settings.worker_dead_seconds,
    )
    await node.register()
    stack.push_async_callback(node.retire)
    _start_loop(stack, "heartbeat", node.beat)
    worker = Worker(database, clock, node, Executor(database, clock, node, box), bell)
    stack.push_async_callback(worker.drain, settings.drain_seconds)
    _start_loop(stack, "worker", worker.fill, bell)


async def _start_dispatcher(
    stack: AsyncExitStack,
    settings: Settings,
    database: Database,
    clock: DatabaseClock,
    broker: Broker,
    bell: Bell,
) -> None:
    dispatcher = Dispatcher(database, broker, clock, tick_seconds=settings.tick_seconds)
    rescuer = Rescuer(database, clock, worker_dead_seconds=settings.worker_dead_seconds)
    pruner = Pruner(database, clock, retention_days=settings.retention_days)
    _start_loop(stack, "rescue", rescuer.look)
    _start_loop(stack, "retention", pruner.prune)
    _start_loop(stack, "dispatch", dispatcher.tick, bell)


def _start_loop(stack: AsyncExitStack, name: str, step: Step, bell: Bell | None = None) -> None:
    task = asyncio.create_task(turn(name, step, bell or Bell()), name=name)
    task.add_done_callback(_end_process_if_failed)
    stack.push_async_callback(_stop_loop, task)


async def _stop_loop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _end_process_if_failed(task: asyncio.Task[None]) -> None:
    """End the process when a loop meets what it was not made for: a service without it would only look alive."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    log.critical("loop_failed", loop=task.get_name(), exc_info=error)
    signal.raise_signal(signal.SIGTERM)
