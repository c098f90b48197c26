"""A worker: its sandbox, its place among the others, and its loops."""

from __future__ import annotations

from pathlib import Path

import structlog

from scheduler_service import sandbox
from scheduler_service.bootstrap.base import Base
from scheduler_service.bootstrap.data_dir import directory_of_its_own
from scheduler_service.bootstrap.rules import bounds_of, environments_of, routing_of
from scheduler_service.config import Settings
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.listener import AttemptListener
from scheduler_service.engine.loop import Bell, start_loop
from scheduler_service.engine.node import LEASE_SHARE, Node
from scheduler_service.engine.worker import Worker
from scheduler_service.errors import ConfigurationError
from scheduler_service.sandbox.spec import Level, Sandbox, SandboxError

log = structlog.get_logger(__name__)


async def start_worker(
    base: Base, bell: Bell, *, patience_seconds: float = 0.0, listener: AttemptListener | None = None
) -> Worker:
    """Start a worker that looks at the database when `bell` rings; it drains when `base` is taken down.

    `listener` hears of each attempt.
    """
    stack, settings, routing = base.stack, base.settings, routing_of(base.settings)
    directory = stack.enter_context(directory_of_its_own(settings.data_dir / "runs"))
    box = await _start_sandbox(settings, directory)
    stack.push_async_callback(box.stop)
    node = Node(
        base.database,
        base.clock,
        slots=settings.slots,
        heartbeat_seconds=settings.heartbeat_seconds,
        worker_dead_seconds=settings.worker_dead_seconds,
        sandbox_level=box.isolation.level,
        on_alive=box.renew,
    )
    await node.register()
    stack.push_async_callback(node.retire)
    start_loop(stack, "heartbeat", node.beat)
    executor = Executor(base.database, base.clock, node, box, routing, bell.ring, bounds_of(settings), listener)
    worker = Worker(base.database, base.clock, node, executor, bell, routing=routing, patience_seconds=patience_seconds)
    stack.push_async_callback(worker.drain, settings.drain_seconds)
    start_loop(stack, "worker", worker.fill, bell)
    return worker


async def _start_sandbox(settings: Settings, directory: Path) -> Sandbox:
    try:
        lease_seconds = settings.worker_dead_seconds * LEASE_SHARE
        environments = environments_of(settings)
        box = sandbox.create(settings.sandbox, directory, settings.slots, environments, lease_seconds=lease_seconds)
        hold_the_floor(settings, box.isolation.level)
        await box.start()
    except SandboxError as error:
        why = " ".join(str(error).split())
        raise ConfigurationError(
            f"SCHEDULER_SANDBOX: {settings.sandbox} cannot be held on this host: {why}; "
            "`scheduler doctor` shows what can, auto takes the best of that"
        ) from error
    return box


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
    log.warning("sandbox_below_the_floor", sandbox_level=level, required=settings.sandbox_required)
