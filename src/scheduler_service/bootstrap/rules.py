"""Rules that the settings state, in the terms of the domain."""

from __future__ import annotations

from scheduler_service.config.settings import Settings
from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.domain.routing import Routing
from scheduler_service.errors import ConfigurationError
from scheduler_service.sandbox.contract.environment import DEFAULT_ENVIRONMENT, PythonEnvironment
from scheduler_service.sandbox.contract.spec import Level


def resource_limits_of(settings: Settings) -> ResourceLimits:
    """Return the most that a job may ask for."""
    return ResourceLimits(
        timeout_seconds=settings.max_timeout_seconds,
        memory_mb=settings.max_memory_mb,
        cpu_seconds=settings.max_cpu_seconds,
        processes=settings.max_processes,
        disk_mb=settings.max_disk_mb,
        output_kb=settings.max_output_kb,
        network=settings.allow_network,
    )


def environments_of(settings: Settings) -> tuple[PythonEnvironment, ...]:
    """Return the Pythons that jobs may ask for: the service's own as `default`, unless another has that name."""
    named = {name: PythonEnvironment(name, env.python, env.preload) for name, env in settings.python_envs.items()}
    return (named.pop(DEFAULT_ENVIRONMENT.name, DEFAULT_ENVIRONMENT), *named.values())


def routing_of(settings: Settings) -> Routing:
    """Return which runs the worker of these settings takes."""
    return Routing(frozenset(settings.worker_tags), settings.reserved_tags)


def suffices(level: Level, settings: Settings) -> bool:
    """Return whether a level is at least the required one."""
    levels = list(Level)
    return levels.index(level) <= levels.index(Level(settings.sandbox_required))


def least_level(settings: Settings) -> Level:
    """Return the lowest level that `auto` may take: production holds jobs to what is required."""
    production = settings.environment == "production"
    return Level.STRICT if production and Level(settings.sandbox_required) is Level.STRICT else Level.STANDARD


def hold_the_floor(settings: Settings) -> None:
    """Refuse a level that was asked for and is below the required one, in production. Raises `ConfigurationError`."""
    chosen = settings.sandbox
    if chosen == "auto" or settings.environment != "production" or suffices(Level(chosen), settings):
        return
    raise ConfigurationError(
        f"SCHEDULER_SANDBOX: {chosen} is less than SCHEDULER_SANDBOX_REQUIRED asks for in production "
        f"({settings.sandbox_required}); take SCHEDULER_SANDBOX out, or set SCHEDULER_SANDBOX_REQUIRED={chosen}"
    )
