"""The loops of a dispatcher that find alerts and send them."""

from __future__ import annotations

from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.engine.changes import after_changes
from scheduler_service.engine.loop import WakeEvent, start_loop
from scheduler_service.features.alerts.channels.base import Transports
from scheduler_service.features.alerts.detector import CHECK_SECONDS, AlertDetector
from scheduler_service.features.alerts.sender import AlertSender
from scheduler_service.outbound.mail import Mailer, read_server


def start_loops(base: Base) -> None:
    """Start the detector and the sender. The detector wakes the sender when it has stored a delivery."""
    stack, settings = base.stack, base.settings
    mailer = _mailer(settings)
    if mailer is not None:
        stack.callback(mailer.close)
    wake_event = WakeEvent()
    transports = Transports(settings.effective_alert_reach, mailer)
    sender = AlertSender(base.database, base.clock, transports, settings.effective_public_url, wake_event.set)
    stack.push_async_callback(sender.stop)
    start_loop(stack, "deliveries", sender.deliver, wake_event)
    detector = AlertDetector(base.database, base.clock, wake_event.set)
    start_loop(stack, "alerts", after_changes(base.changes, detector.check_events, CHECK_SECONDS))
    start_loop(stack, "lasting_alerts", detector.check_lasting)


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    return Mailer(read_server(settings.smtp_url.get_secret_value(), settings.mail_from))
