"""Creates the Celery application that `celery -A src.app.celery_app …` loads in a worker, beat or Flower process."""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import Celery, signals
from celery.apps import worker

from scheduler_service.brokers import celery as broker
from scheduler_service.brokers.message import TASK
from scheduler_service.config.settings import Settings
from scheduler_service.config.unknown import unknown_settings
from scheduler_service.entrypoints.celery_worker import Engine, step_of
from scheduler_service.telemetry import logging_config

log = structlog.get_logger(__name__)


def create(settings: Settings) -> Celery:
    """Return the Celery application and configure logging for this process.

    `settings` are those of the distributed mode. The process must serve no other purpose.
    """
    celery = broker.create(settings)
    engine = Engine(celery)
    celery.steps["worker"].add(step_of(engine))

    def execute_run(_run_id: int, _attempt: int) -> None:
        engine.take_notice()

    def configure_logging(**_: Any) -> None:
        logging_config.configure_logging(settings.log_level, settings.log_format)

    if settings.log_format == "json":
        worker.safe_say = lambda *_: None  # would print shutdown messages into the log
    # Celery's own events describe messages; the engine publishes events about attempts instead.
    celery.task(name=TASK, send_events=False)(execute_run)
    signals.setup_logging.connect(configure_logging, weak=False)
    # Configure logging here too: Celery warns about root before it calls the hook, and Flower never calls it.
    configure_logging()
    # Otherwise Flower sets the level of all loggers to INFO.
    os.environ.setdefault("FLOWER_LOGGING", "none")
    if unknown := unknown_settings():
        log.warning("settings_ignored", ignored=unknown)
    return celery
