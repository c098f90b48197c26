"""Builds a worker: its sandbox, its session, and its loops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from scheduler_service import sandbox
from scheduler_service.bootstrap.data_dir import lock_run_directory
from scheduler_service.bootstrap.derived_settings import (
    check_required_level,
    environments_of,
    least_level,
    resource_limits_of,
    routing_of,
    suffices,
)
from scheduler_service.bootstrap.private_paths import private_paths
from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.engine.claimer import Claimer
from scheduler_service.engine.execute import Executor
from scheduler_service.engine.execution_rules import ExecutionRules
from scheduler_service.engine.fitness import Fitness
from scheduler_service.engine.listener import AttemptListener
from scheduler_service.engine.loop import WakeEvent, start_loop
from scheduler_service.engine.quota_settings import quotas_of
from scheduler_service.engine.slot_filler import SlotFiller
from scheduler_service.engine.slots import Slots
from scheduler_service.engine.worker_session import LEASE_SHARE, WorkerOptions, WorkerSession
from scheduler_service.errors import ConfigurationError
from scheduler_service.features.artifacts.keeper import ArtifactKeeper
from scheduler_service.features.artifacts.places import open_places
from scheduler_service.features.environments.worker import EnvironmentPlaces, open_environments
from scheduler_service.features.grants.file import read_grants
from scheduler_service.features.grants.held import HeldGrants
from scheduler_service.features.grants.user import read_user
from scheduler_service.features.secrets.keyring import keyring_of
from scheduler_service.features.secrets.opener import SecretOpener
from scheduler_service.sandbox import ChosenSandbox, SandboxError
from scheduler_service.sandbox.contract.environment import Warmth

log = structlog.get_logger(__name__)


async def start_worker(
    base: Base, wake_event: WakeEvent, *, listener: AttemptListener | None = None, monitor_name: str | None = None
) -> SlotFiller:
    """Start a worker that queries the database when `wake_event` is set. It drains when `base` is shut down.

    `listener` receives each attempt. `monitor_name` is the worker's name in Celery monitors.
    """
    stack, settings = base.stack, base.settings
    grants = hold_grants(settings)
    routing = routing_of(settings, grants.names)
    directory = stack.enter_context(lock_run_directory(settings))
    places = EnvironmentPlaces(settings)
    box = make_sandbox(settings, directory, (*grants.paths, *places.writable))
    stack.push_async_callback(box.stop)
    slots = Slots(settings.slots, on_lent=wake_event.set)
    environments = open_environments(base, box, places, slots.lend)
    stack.push_async_callback(environments.stop)
    fault = await _start_sandbox(settings, box)
    session = WorkerSession(
        base.database,
        base.clock,
        WorkerOptions(
            settings.slots,
            settings.heartbeat_seconds,
            settings.worker_dead_seconds,
            tuple(grants.names),
            tuple(settings.worker_tags),
            monitor_name,
        ),
        sandbox_level=lambda: box.level,
        on_alive=box.renew,
    )
    fitness_wake = WakeEvent()
    fitness = Fitness(box, session, on_fault=fitness_wake.set, on_ready=wake_event.set)
    if fault is not None:
        fitness.note_fault(fault)
    await session.register()
    stack.push_async_callback(session.retire)
    start_loop(stack, "heartbeat", session.beat)
    artifacts = ArtifactKeeper(base.database, base.clock, open_places(settings))
    secrets = SecretOpener(base.database, base.clock, keyring_of(settings))
    rules = ExecutionRules(
        routing,
        resource_limits_of(settings),
        grants.access_of,
        artifacts=artifacts,
        environments=environments,
        secrets_of=secrets.values_of,
    )
    executor = Executor(base.database, base.clock, session, fitness, rules, wake_event.set, listener, slots.lend)
    quotas = quotas_of(settings)
    claimer = Claimer(base.database, base.clock, session, routing, max_concurrent_runs=quotas.concurrent_runs)
    worker = SlotFiller(session, claimer, executor, wake_event, refusal=lambda: box.refusal, slots=slots)
    stack.push_async_callback(worker.drain, settings.drain_seconds)
    # Stopped after the drain: a trial run that succeeds during the drain must not start claims.
    start_loop(stack, "fitness", fitness.try_if_unfit, fitness_wake)
    start_loop(stack, "slot_filler", worker.fill, wake_event)
    start_loop(stack, "environments", environments.look)
    return worker


def hold_grants(settings: Settings) -> HeldGrants:
    """Return the grants that runs can have on this host. Raise `ConfigurationError` for one that opens too much."""
    return HeldGrants(read_grants(settings.grants_file), private_paths(settings))


def make_sandbox(settings: Settings, directory: Path, granted: Sequence[str] = ()) -> ChosenSandbox:
    """Return the configured sandbox, not started yet, with its directories below `directory`.

    `granted` lists the paths that some run may be granted.
    """
    return sandbox.create(
        settings.sandbox,
        directory,
        settings.slots,
        environments_of(settings),
        lease_seconds=settings.worker_dead_seconds * LEASE_SHARE,
        least=least_level(settings),
        private=private_paths(settings),
        granted=granted,
        granted_user=read_user(settings.grants_user),
        warmth=Warmth(settings.package_idle_seconds, settings.package_memory_mb),
    )


async def _start_sandbox(settings: Settings, box: ChosenSandbox) -> SandboxError | None:
    """Start the sandbox. Return the error with which the worker starts as unfit and retries, or None.

    Raise `ConfigurationError` if a retry cannot help, because the configured or required level is not supported here.
    """
    check_required_level(settings)
    try:
        await box.start()
    except SandboxError as error:
        if error.is_passing or (settings.sandbox == "auto" and settings.environment == "development"):
            return error
        if settings.sandbox == "auto":
            raise ConfigurationError(
                f"SCHEDULER_SANDBOX_REQUIRED: {settings.sandbox_required} is required in production: {error}"
            ) from error
        raise ConfigurationError(
            f"SCHEDULER_SANDBOX: {settings.sandbox} does not work on this host: {error}; "
            "`scheduler doctor` shows which levels work, and auto takes the best one"
        ) from error
    if box.level is not None and not suffices(box.level, settings):
        log.warning("sandbox_downgraded", sandbox_level=box.level, required=settings.sandbox_required)
    return None
