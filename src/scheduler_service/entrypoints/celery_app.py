"""The Celery application of a worker, a beat or a Flower process: what `celery -A src.app.celery_app …` loads."""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import Celery, signals
from celery.apps import worker

from scheduler_service.brokers import celery as broker
from scheduler_service.brokers.message import CORRELATION_HEADER, TASK
from scheduler_service.config.settings import Settings
from scheduler_service.config.unknown import unknown_settings
from scheduler_service.entrypoints.celery_worker import Engine, step_of
from scheduler_service.telemetry import logging_config

log = structlog.get_logger(__name__)


def create(settings: Settings) -> Celery:
    """Make the application, for a process that does nothing else, and send that one's logs our way.

    The settings are those of the distributed setting.
    """
    celery = broker.create(settings)
    engine = Engine(celery)
    celery.steps["worker"].add(step_of(engine))

    def execute_run(task: Any, run_id: int, attempt: int) -> None:
        correlation_id = getattr(task.request, CORRELATION_HEADER, None) or logging_config.new_correlation_id()
        with logging_config.correlation(correlation_id):
            engine.execute(run_id, attempt)

    def configure_logging(**_: Any) -> None:
        logging_config.configure_logging(settings.log_level, settings.log_format)

    if settings.log_format == "json":
        worker.safe_say = lambda *_: None  # says to people that it ends, in the middle of the log
    # Without the events of Celery, which tell of messages: the engine publishes those of attempts.
    celery.task(name=TASK, bind=True, send_events=False)(execute_run)
    signals.setup_logging.connect(configure_logging, weak=False)
    # Now as well: Celery warns of the superuser before it asks for that, and Flower never asks.
    configure_logging()
    # Flower would set the level of all logs, to INFO.
    os.environ.setdefault("FLOWER_LOGGING", "none")
    if unknown := unknown_settings():
        log.warning("unknown_settings", ignored=unknown)
    return celery
