"""A dispatcher: the loops that rescue, prune, count and tell beside its ticks."""

from __future__ import annotations

from scheduler_service.bootstrap.base import Base
from scheduler_service.bootstrap.request_side import make_health
from scheduler_service.brokers.base import Broker
from scheduler_service.config.settings import Settings
from scheduler_service.engine.alert_detector import AlertDetector
from scheduler_service.engine.alert_sender import AlertSender
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.heartbeat_url import Pulse
from scheduler_service.engine.loop import WakeEvent, start_loop
from scheduler_service.engine.metrics_fold import MetricsFold
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.retention import Pruner
from scheduler_service.outbound.mail import Mailer, read_server


def start_dispatcher(base: Base, broker: Broker) -> Dispatcher:
    """Start the loops of a dispatcher but for its ticks."""
    database, clock, settings = base.database, base.clock, base.settings
    rescuer = Rescuer(database, clock, worker_dead_seconds=settings.worker_dead_seconds)
    pruner = Pruner(
        database, clock, retention_days=settings.retention_days, event_retention_hours=settings.event_retention_hours
    )
    start_loop(base.stack, "rescue", rescuer.look)
    start_loop(base.stack, "retention", pruner.prune)
    start_loop(base.stack, "counting", MetricsFold(database).fold)
    _start_alerts(base)
    dispatcher = Dispatcher(database, broker, clock, tick_seconds=settings.tick_seconds)
    start_loop(base.stack, "ticks", dispatcher.note_tick)
    return dispatcher


def _start_alerts(base: Base) -> None:
    stack, settings = base.stack, base.settings
    mailer = _mailer(settings)
    if mailer is not None:
        stack.callback(mailer.close)
    wake_event = WakeEvent()
    reach = settings.effective_alert_reach
    base_url = settings.effective_public_url
    sender = AlertSender(
        base.database, base.clock, reach=reach, mailer=mailer, base_url=base_url, on_free=wake_event.set
    )
    stack.push_async_callback(sender.stop)
    start_loop(stack, "deliveries", sender.deliver, wake_event)
    start_loop(stack, "alerts", AlertDetector(base.database, base.clock, wake_event.set).look)
    if settings.heartbeat_url is not None:
        url, health = settings.heartbeat_url.get_secret_value(), make_health(base, None)
        start_loop(stack, "pulse", Pulse(url, settings.heartbeat_url_seconds, health.is_ready).beat)


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    return Mailer(read_server(settings.smtp_url.get_secret_value(), settings.mail_from))
