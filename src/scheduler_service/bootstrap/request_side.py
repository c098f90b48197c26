"""Builds the request side: the services, and the broker that notifies workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from scheduler_service.bootstrap.derived_settings import environments_of, grant_rules_of, resource_limits_of, routing_of
from scheduler_service.brokers.base import Broker
from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.engine.quota_settings import quotas_of
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.features.registry import FEATURES
from scheduler_service.features.secrets.known import OwnersSecrets
from scheduler_service.services.checks import ServerLimits
from scheduler_service.services.events import EventService
from scheduler_service.services.explanations import ExplanationService
from scheduler_service.services.health import HealthService, Ping
from scheduler_service.services.job_listing import JobListing
from scheduler_service.services.job_versions import JobVersionService
from scheduler_service.services.jobs import JobService
from scheduler_service.services.metrics import MetricsService
from scheduler_service.services.quota_gate import QuotaGate
from scheduler_service.services.run_listing import RunListing
from scheduler_service.services.run_logs import RunLogService
from scheduler_service.services.runs import RunService
from scheduler_service.services.schedules import ScheduleService
from scheduler_service.services.simulations import SimulationService
from scheduler_service.services.stats import StatsService

FeatureService = TypeVar("FeatureService")


@dataclass(frozen=True, slots=True)
class Service:
    """The services that the routers call. `stopping` is set when the process starts to shut down."""

    settings: Settings
    jobs: JobService
    versions: JobVersionService
    listing: JobListing
    run_listing: RunListing
    runs: RunService
    logs: RunLogService
    schedules: ScheduleService
    health: HealthService
    metrics: MetricsService
    stats: StatsService
    explanations: ExplanationService
    simulations: SimulationService
    events: EventService
    features: Mapping[type, object]
    refusal: Callable[[], str | None]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def feature(self, kind: type[FeatureService]) -> FeatureService:
        """Return the service of a feature by its class."""
        return cast("FeatureService", self.features[kind])


def make_service(
    base: Base,
    broker: Broker,
    wake_dispatcher: Callable[[], None],
    ping_broker: Ping | None = None,
    refusal: Callable[[], str | None] = lambda: None,
) -> Service:
    """Build the services. `wake_dispatcher` is called when a job may have become due earlier.

    `refusal` returns why no job can run in this process, or None.
    """
    known = frozenset(environment.name for environment in environments_of(base.settings))
    # Workers of the distributed mode have separate settings and may offer other environments.
    offered = None if base.settings.is_distributed else known
    quotas = quotas_of(base.settings)
    server_limits = ServerLimits(
        resource_limits_of(base.settings), offered, grant_rules_of(base.settings), base.settings.quota_test_runs, quotas
    )
    features = {type(service): service for feature in FEATURES for service in feature.services(base)}
    packages = cast("EnvironmentService", features[EnvironmentService])
    jobs = JobService(
        base.database, broker, base.clock, wake_dispatcher, server_limits, refusal, packages, OwnersSecrets()
    )
    features |= {type(service): service for feature in FEATURES for service in feature.job_services(base, jobs)}
    return Service(
        settings=base.settings,
        jobs=jobs,
        versions=JobVersionService(base.database),
        listing=JobListing(base.database),
        run_listing=RunListing(base.database),
        runs=RunService(base.database, broker, base.clock, QuotaGate(quotas)),
        logs=RunLogService(base.database),
        schedules=ScheduleService(base.clock, known, base.database),
        health=make_health(base, ping_broker),
        features=features,
        refusal=refusal,
        metrics=MetricsService(
            base.database,
            base.clock,
            heartbeat_seconds=base.settings.heartbeat_seconds,
            ping_broker=ping_broker,
            of_features=[read for feature in FEATURES for read in feature.metrics()],
        ),
        events=EventService(base.database),
        simulations=SimulationService(base.database, base.clock, quotas),
        explanations=ExplanationService(
            base.database, base.clock, heartbeat_seconds=base.settings.heartbeat_seconds, quotas=quotas
        ),
        stats=StatsService(base.database, base.clock, heartbeat_seconds=base.settings.heartbeat_seconds),
    )


def open_broker(base: Base) -> Broker:
    """Open the broker of the distributed mode."""
    # Imported here because the embedded mode starts faster without Celery.
    from scheduler_service.brokers import celery  # noqa: PLC0415 (slow)

    broker = celery.CeleryBroker(celery.create(base.settings), routing_of(base.settings))
    base.stack.push_async_callback(broker.close)
    return broker


def make_health(base: Base, ping_broker: Ping | None) -> HealthService:
    """Build the health service. `ping_broker` None means that there is no broker to check."""
    return HealthService(
        base.database,
        base.clock,
        heartbeat_seconds=base.settings.heartbeat_seconds,
        tick_seconds=base.settings.tick_seconds,
        ping_broker=ping_broker,
    )


def open_ping(base: Base) -> Ping:
    """Return the check of Redis."""
    from scheduler_service.brokers.probe import RedisProbe  # noqa: PLC0415 (slow)

    assert base.settings.redis_url is not None  # noqa: S101 (what the distributed mode is)
    probe = RedisProbe(base.settings.redis_url.get_secret_value())
    base.stack.push_async_callback(probe.close)
    return probe.ping
