"""A dispatcher: the loops that rescue, prune, count and tell beside its ticks."""

from __future__ import annotations

from scheduler_service.alerts.mail import Mailer, read_server
from scheduler_service.bootstrap.base import Base
from scheduler_service.bootstrap.request_side import make_health
from scheduler_service.brokers.base import Broker
from scheduler_service.config import Settings
from scheduler_service.engine.alerting import Watch
from scheduler_service.engine.delivery import Courier
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.loop import Bell, start_loop
from scheduler_service.engine.observe import Counter
from scheduler_service.engine.pulse import Pulse
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.engine.retention import Pruner


def start_dispatcher(base: Base, broker: Broker) -> Dispatcher:
    """Start the loops of a dispatcher but for its ticks."""
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


def _start_alerts(base: Base) -> None:
    stack, settings = base.stack, base.settings
    mailer = _mailer(settings)
    if mailer is not None:
        stack.callback(mailer.close)
    bell = Bell()
    reach = settings.effective_alert_reach
    base_url = settings.effective_public_url
    courier = Courier(base.database, base.clock, reach=reach, mailer=mailer, base_url=base_url, on_free=bell.ring)
    stack.push_async_callback(courier.stop)
    start_loop(stack, "deliveries", courier.deliver, bell)
    start_loop(stack, "alerts", Watch(base.database, base.clock, bell.ring).look)
    if settings.heartbeat_url is not None:
        url, health = settings.heartbeat_url.get_secret_value(), make_health(base, None)
        start_loop(stack, "pulse", Pulse(url, settings.heartbeat_url_seconds, health.is_ready).beat)


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    return Mailer(read_server(settings.smtp_url.get_secret_value(), settings.mail_from))
