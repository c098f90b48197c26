"""Converts settings into the types of the domain and the sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler_service.config.settings import Settings
from scheduler_service.domain.grants import GrantRules
from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.domain.routing import Routing
from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.file import read_grants, rules_of
from scheduler_service.sandbox.contract.environment import DEFAULT_ENVIRONMENT, PythonEnvironment
from scheduler_service.sandbox.contract.spec import Level


def resource_limits_of(settings: Settings) -> ResourceLimits:
    """Return the upper limits for jobs."""
    return ResourceLimits(
        timeout_seconds=settings.max_timeout_seconds,
        memory_mb=settings.max_memory_mb,
        cpu_seconds=settings.max_cpu_seconds,
        processes=settings.max_processes,
        disk_mb=settings.max_disk_mb,
        output_kb=settings.max_output_kb,
        artifacts_mb=settings.max_artifacts_mb,
        network=settings.allow_network,
    )


def environments_of(settings: Settings) -> tuple[PythonEnvironment, ...]:
    """Return the Python environments for jobs: the configured ones, and the service's own Python as `default`."""
    named = {name: PythonEnvironment(name, env.python, env.preload) for name, env in settings.python_envs.items()}
    return (named.pop(DEFAULT_ENVIRONMENT.name, DEFAULT_ENVIRONMENT), *named.values())


def routing_of(settings: Settings, grants: Iterable[str] = ()) -> Routing:
    """Return which runs a worker with these settings claims, if it holds these grants."""
    return Routing(frozenset(settings.worker_tags), settings.reserved_tags, frozenset(grants))


def grant_rules_of(settings: Settings) -> GrantRules:
    """Return whose jobs may ask for which grants."""
    return rules_of(read_grants(settings.grants_file))


def suffices(level: Level, settings: Settings) -> bool:
    """Return whether an isolation level is at least the required one."""
    levels = list(Level)
    return levels.index(level) <= levels.index(Level(settings.sandbox_required))


def least_level(settings: Settings) -> Level:
    """Return the lowest level that `auto` may choose. In production it is the required level."""
    production = settings.environment == "production"
    return Level.STRICT if production and Level(settings.sandbox_required) is Level.STRICT else Level.STANDARD


def check_required_level(settings: Settings) -> None:
    """Raise `ConfigurationError` if the configured level is below the required one in production."""
    chosen = settings.sandbox
    if chosen == "auto" or settings.environment != "production" or suffices(Level(chosen), settings):
        return
    raise ConfigurationError(
        f"SCHEDULER_SANDBOX: {chosen} is below SCHEDULER_SANDBOX_REQUIRED, which production enforces "
        f"({settings.sandbox_required}); remove SCHEDULER_SANDBOX, or set SCHEDULER_SANDBOX_REQUIRED={chosen}"
    )
