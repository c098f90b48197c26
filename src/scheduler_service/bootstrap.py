"""The only wiring: puts the rooms together for a process, starts its loops, and takes it down in good order.

There are three roles: the request side, a worker and a dispatcher. In the embedded setting one process has all of
them; in the distributed one each has processes of its own, and the database and the broker between them.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO

import structlog

from scheduler_service import sandbox
from scheduler_service.alerts.mail import Mailer, read_server
from scheduler_service.brokers.base import Broker
from scheduler_service.brokers.local import LocalBroker
from scheduler_service.config import Settings
from scheduler_service.domain.maxima import Maxima
from scheduler_service.domain.routing import Routing
from scheduler_service.engine.alerting import Watch
from scheduler_service.engine.delivery import Courier
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.loop import Bell, start_loop
from scheduler_service.engine.node import Node
from scheduler_service.engine.observe import Counter
from scheduler_service.engine.pulse import Pulse
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.retention import Pruner
from scheduler_service.engine.worker import Worker
from scheduler_service.errors import ConfigurationError
from scheduler_service.sandbox.environment import DEFAULT_ENVIRONMENT, PythonEnvironment
from scheduler_service.sandbox.spec import Level
from scheduler_service.services.alerts import AlertService
from scheduler_service.services.events import EventService
from scheduler_service.services.health import HealthService, Ping
from scheduler_service.services.jobs import JobService
from scheduler_service.services.metrics import MetricsService
from scheduler_service.services.runs import RunService
from scheduler_service.services.schedules import ScheduleService
from scheduler_service.services.stats import StatsService
from scheduler_service.storage import migrations, workers
from scheduler_service.storage.clock import DatabaseClock
from scheduler_service.storage.database import Database

CLOCK_SYNC_SECONDS = 10.0
ALIVE_SECONDS = 5.0
# How long a worker leaves a run to the ring that is on its way to some worker, before it takes it by itself.
PATIENCE_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """What the request side of a process needs. `stopping` is set when the process begins to go down."""

    settings: Settings
    jobs: JobService
    runs: RunService
    schedules: ScheduleService
    health: HealthService
    metrics: MetricsService
    stats: StatsService
    events: EventService
    alerts: AlertService
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Base:
    """What every role stands on; `stack` takes down what was started, in reverse."""

    stack: AsyncExitStack
    settings: Settings
    database: Database
    clock: DatabaseClock


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
async def open_worker(settings: Settings) -> AsyncIterator[Worker]:
    """Start a worker of the distributed setting; at the end of the block it drains, as `open_service` says."""
    settings.prepare_data_dir()
    async with _open_base(settings) as base:
        yield await _start_worker(base, Bell(), patience_seconds=PATIENCE_SECONDS)


@asynccontextmanager
async def open_dispatcher(settings: Settings) -> AsyncIterator[Dispatcher]:
    """Start the loops of a dispatcher of the distributed setting, but for the ticks: the caller does these."""
    async with _open_base(settings) as base:
        yield _start_dispatcher(base, _celery_broker(base))


async def migrate(settings: Settings) -> migrations.Upgrade:
    """Bring the database to the newest shape, as every start does. Raises `ConfigurationError`, `UnavailableError`."""
    settings.prepare_data_dir()
    async with AsyncExitStack() as stack:
        database = Database(settings.effective_database_url)
        stack.push_async_callback(database.close)
        if database.is_sqlite:
            stack.enter_context(_only_process_on(settings))
        return await migrations.upgrade(database)


@asynccontextmanager
async def _open_everything(settings: Settings) -> AsyncIterator[Service]:
    settings.prepare_data_dir()
    with _only_process_on(settings):
        async with _open_base(settings) as base:
            dispatcher_bell, worker_bell = Bell(), Bell()
            broker = LocalBroker(worker_bell.ring)
            if base.database.is_sqlite:
                await _bury_predecessors(base)
            await _start_worker(base, worker_bell)
            dispatcher = _start_dispatcher(base, broker)
            # What came due while the service was down is fired before it says that it is ready.
            await dispatcher.tick()
            await dispatcher.note_tick()
            start_loop(base.stack, "dispatch", dispatcher.tick, dispatcher_bell)
            yield _service(base, broker, dispatcher_bell.ring)


@asynccontextmanager
async def _open_request_side(settings: Settings) -> AsyncIterator[Service]:
    async with _open_base(settings) as base:
        # The dispatchers are other processes: they see a new job at their next tick.
        yield _service(base, _celery_broker(base), lambda: None, _redis_ping(base))


@asynccontextmanager
async def _open_base(settings: Settings) -> AsyncIterator[_Base]:
    async with AsyncExitStack() as stack:
        database = Database(settings.effective_database_url)
        stack.push_async_callback(database.close)
        await migrations.upgrade(database)
        clock = DatabaseClock(database)
        await clock.sync()
        base = _Base(stack, settings, database, clock)
        if (path := settings.alive_file) is not None:
            start_loop(stack, "alive", lambda: _show_alive(path))
        if not database.is_sqlite:
            start_loop(stack, "clock", lambda: _sync(clock))
        yield base


def _service(
    base: _Base, broker: Broker, wake_dispatcher: Callable[[], None], ping_broker: Ping | None = None
) -> Service:
    return Service(
        settings=base.settings,
        jobs=JobService(base.database, broker, base.clock, wake_dispatcher, _bounds(base.settings)),
        runs=RunService(base.database, broker, base.clock),
        schedules=ScheduleService(base.clock),
        health=_health(base, ping_broker),
        alerts=AlertService(base.database, base.clock),
        metrics=MetricsService(base.database, base.clock, heartbeat_seconds=base.settings.heartbeat_seconds),
        events=EventService(base.database),
        stats=StatsService(base.database, base.clock, heartbeat_seconds=base.settings.heartbeat_seconds),
    )


def _celery_broker(base: _Base) -> Broker:
    # Imported here: the embedded setting starts quicker without Celery.
    from scheduler_service.brokers import celery  # noqa: PLC0415 (slow)

    broker = celery.CeleryBroker(celery.create(base.settings), _routing(base.settings))
    base.stack.push_async_callback(broker.close)
    return broker


def _health(base: _Base, ping_broker: Ping | None) -> HealthService:
    return HealthService(
        base.database,
        base.clock,
        heartbeat_seconds=base.settings.heartbeat_seconds,
        tick_seconds=base.settings.tick_seconds,
        ping_broker=ping_broker,
    )


def _redis_ping(base: _Base) -> Ping:
    from scheduler_service.brokers.probe import RedisProbe  # noqa: PLC0415 (slow)

    assert base.settings.redis_url is not None  # noqa: S101 (what the distributed setting is)
    probe = RedisProbe(base.settings.redis_url.get_secret_value())
    base.stack.push_async_callback(probe.close)
    return probe.ping


async def _start_worker(base: _Base, bell: Bell, *, patience_seconds: float = 0.0) -> Worker:
    stack, settings, routing = base.stack, base.settings, _routing(base.settings)
    directory = stack.enter_context(_directory_of_its_own(settings.data_dir / "runs"))
    box = sandbox.create(settings.sandbox, directory, settings.slots, environments_of(settings))
    hold_the_floor(settings, box.isolation.level)
    await box.start()
    stack.push_async_callback(box.stop)
    node = Node(
        base.database,
        base.clock,
        slots=settings.slots,
        heartbeat_seconds=settings.heartbeat_seconds,
        worker_dead_seconds=settings.worker_dead_seconds,
        sandbox_level=box.isolation.level,
    )
    await node.register()
    stack.push_async_callback(node.retire)
    start_loop(stack, "heartbeat", node.beat)
    executor = Executor(base.database, base.clock, node, box, routing, bell.ring, _bounds(settings))
    worker = Worker(base.database, base.clock, node, executor, bell, routing=routing, patience_seconds=patience_seconds)
    stack.push_async_callback(worker.drain, settings.drain_seconds)
    start_loop(stack, "worker", worker.fill, bell)
    return worker


def _start_dispatcher(base: _Base, broker: Broker) -> Dispatcher:
    database, clock, settings = base.database, base.clock, base.settings
    rescuer = Rescuer(database, clock, worker_dead_seconds=settings.worker_dead_seconds)
    pruner = Pruner(
        database, clock, retention_days=settings.retention_days, event_retention_hours=settings.event_retention_hours
    )
    start_loop(base.stack, "rescue", rescuer.look)
    start_loop(base.stack, "retention", pruner.prune)
    start_loop(base.stack, "counting", Counter(database).fold)
    _start_alerts(base)
    dispatcher = Dispatcher(database, broker, clock, tick_seconds=settings.tick_seconds)
    start_loop(base.stack, "ticks", dispatcher.note_tick)
    return dispatcher


def environments_of(settings: Settings) -> tuple[PythonEnvironment, ...]:
    """Give the Pythons that jobs may ask for: the service's own as `default`, unless another has that name."""
    named = {name: PythonEnvironment(name, env.python, env.preload) for name, env in settings.python_envs.items()}
    return (named.pop(DEFAULT_ENVIRONMENT.name, DEFAULT_ENVIRONMENT), *named.values())


def hold_the_floor(settings: Settings, level: Level) -> None:
    """Refuse to run code below the required level: in production by an error, in development by a warning."""
    levels = list(Level)
    if levels.index(level) <= levels.index(Level(settings.sandbox_required)):
        return
    if settings.environment == "production":
        raise ConfigurationError(
            f"SCHEDULER_SANDBOX_REQUIRED: {settings.sandbox_required} is required, and this host gives {level}; "
            "`scheduler doctor` shows why"
        )
    log.warning("sandbox_below_the_floor", level=level, required=settings.sandbox_required)


def _bounds(settings: Settings) -> Maxima:
    return Maxima(
        timeout_seconds=settings.max_timeout_seconds,
        memory_mb=settings.max_memory_mb,
        cpu_seconds=settings.max_cpu_seconds,
        processes=settings.max_processes,
        disk_mb=settings.max_disk_mb,
        output_kb=settings.max_output_kb,
        network=settings.allow_network,
    )


def _start_alerts(base: _Base) -> None:
    stack, settings = base.stack, base.settings
    mailer = _mailer(settings)
    if mailer is not None:
        stack.callback(mailer.close)
    courier = Courier(base.database, base.clock, reach=settings.effective_alert_reach, mailer=mailer)
    stack.push_async_callback(courier.stop)
    start_loop(stack, "deliveries", courier.deliver)
    start_loop(stack, "alerts", Watch(base.database, base.clock).look)
    if settings.heartbeat_url is not None:
        url, health = settings.heartbeat_url.get_secret_value(), _health(base, None)
        start_loop(stack, "pulse", Pulse(url, settings.heartbeat_url_seconds, health.is_ready).beat)


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    return Mailer(read_server(settings.smtp_url.get_secret_value(), settings.mail_from))


def _routing(settings: Settings) -> Routing:
    return Routing(frozenset(settings.worker_tags), settings.reserved_tags)


@contextmanager
def _only_process_on(settings: Settings) -> Iterator[None]:
    """Hold the data directory: SQLite has one writing process (see `Database`), and runs have their files there.

    The kernel drops the lock with the process, however that ends.
    """
    with (settings.data_dir / "lock").open("w", encoding="ascii") as file:
        if not _lock(file):
            where = str(settings.data_dir.absolute())
            raise ConfigurationError(
                f"SCHEDULER_DATA_DIR: another instance is already running on {where}; stop it or name another directory"
            )
        yield


@contextmanager
def _directory_of_its_own(parent: Path) -> Iterator[Path]:
    """Hold a directory for the runs of this worker: others of this machine may have the same data directory.

    It may have been another's, who has ended; the sandbox removes what was left there.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count():
        with (parent / f"{number}.lock").open("w", encoding="ascii") as file:
            if _lock(file):
                yield parent / str(number)
                return


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _bury_predecessors(base: _Base) -> None:
    """Rescue at once what an earlier process left running: the lock says that it is no more, no need to wait."""
    rescuer = Rescuer(base.database, base.clock, worker_dead_seconds=base.settings.worker_dead_seconds)
    async with base.database.read() as connection:
        predecessors = await workers.living(connection)
    for worker in predecessors:
        await rescuer.bury(worker)


async def _sync(clock: DatabaseClock) -> float:
    await clock.sync()
    return CLOCK_SYNC_SECONDS


async def _show_alive(path: Path) -> float:
    """Show whoever watches this process that its loop turns, whether or not the database answers."""
    await asyncio.to_thread(path.touch)
    return ALIVE_SECONDS
