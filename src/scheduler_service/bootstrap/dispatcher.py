"""Builds a dispatcher and its loops for rescue, retention, metrics and alerts."""

from __future__ import annotations

from scheduler_service.bootstrap.request_side import make_health
from scheduler_service.brokers.base import Broker
from scheduler_service.engine.base import Base
from scheduler_service.engine.changes import after_changes
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.heartbeat_url import HeartbeatUrl
from scheduler_service.engine.listener import RescueListener
from scheduler_service.engine.loop import start_loop
from scheduler_service.engine.metrics_fold import FOLD_SECONDS, MetricsFold
from scheduler_service.engine.quota_settings import quotas_of
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.retention import Pruner
from scheduler_service.engine.stored_bytes import StoredByteCounter
from scheduler_service.features.registry import FEATURES


def start_dispatcher(base: Base, broker: Broker, listener: RescueListener | None = None) -> Dispatcher:
    """Start the loops of a dispatcher, except its ticks. `listener` receives each attempt of a dead worker."""
    dispatcher = Dispatcher(
        base.database,
        broker,
        base.clock,
        tick_seconds=base.settings.tick_seconds,
        note_change=base.changes.note,
        quotas=quotas_of(base.settings),
    )
    seconds = base.settings.worker_dead_seconds
    rescuer = Rescuer(base.database, base.clock, worker_dead_seconds=seconds, listener=listener)
    steps = {
        "rescue": rescuer.check_workers,
        "retention": _pruner(base).prune,
        "metrics_fold": after_changes(base.changes, MetricsFold(base.database).fold, FOLD_SECONDS),
        "stored_bytes": _byte_counter(base).count,
        "tick_note": dispatcher.note_tick,
    }
    for name, step in steps.items():
        start_loop(base.stack, name, step)
    _start_heartbeat(base)
    for feature in FEATURES:
        feature.start_dispatcher_loops(base)
    return dispatcher


def _pruner(base: Base) -> Pruner:
    return Pruner(
        base.database,
        base.clock,
        retention_days=base.settings.retention_days,
        event_retention_hours=base.settings.event_retention_hours,
        prunes=[prune for feature in FEATURES for prune in feature.prunes()],
    )


def _byte_counter(base: Base) -> StoredByteCounter:
    counts = [count for feature in FEATURES for count in feature.byte_counts()]
    return StoredByteCounter(base.database, base.clock, quotas_of(base.settings).stored_mb, counts)


def _start_heartbeat(base: Base) -> None:
    if base.settings.heartbeat_url is not None:
        url, health = base.settings.heartbeat_url.get_secret_value(), make_health(base, None)
        heartbeat = HeartbeatUrl(url, base.settings.heartbeat_url_seconds, health.is_ready)
        start_loop(base.stack, "heartbeat_url", heartbeat.request)
