"""Rules that the settings state, in the terms of the domain."""

from __future__ import annotations

from scheduler_service.config import Settings
from scheduler_service.domain.maxima import Maxima
from scheduler_service.domain.routing import Routing
from scheduler_service.sandbox.environment import DEFAULT_ENVIRONMENT, PythonEnvironment


def bounds_of(settings: Settings) -> Maxima:
    """Give the most that a job may ask for."""
    return Maxima(
        timeout_seconds=settings.max_timeout_seconds,
        memory_mb=settings.max_memory_mb,
        cpu_seconds=settings.max_cpu_seconds,
        processes=settings.max_processes,
        disk_mb=settings.max_disk_mb,
        output_kb=settings.max_output_kb,
        network=settings.allow_network,
    )


def environments_of(settings: Settings) -> tuple[PythonEnvironment, ...]:
    """Give the Pythons that jobs may ask for: the service's own as `default`, unless another has that name."""
    named = {name: PythonEnvironment(name, env.python, env.preload) for name, env in settings.python_envs.items()}
    return (named.pop(DEFAULT_ENVIRONMENT.name, DEFAULT_ENVIRONMENT), *named.values())


def routing_of(settings: Settings) -> Routing:
    """Give which runs the worker of these settings takes."""
    return Routing(frozenset(settings.worker_tags), settings.reserved_tags)
