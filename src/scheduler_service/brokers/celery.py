"""Sends notices between processes through Celery on Redis.

Theory of operation. A message says that a run may be ready; it carries only ids. It wakes a worker, which then claims
runs in the database until none is due. A worker without messages still finds due runs by polling. Redis can therefore
lose, repeat or delay messages without consequences for correctness, and a queue never needs more of them than wake its
workers. `create` turns off what Celery does for durability: late acknowledgement, retries, results, ETA.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import structlog
from celery import Celery
from celery.bin.celery import celery as program
from celery.concurrency.thread import TaskPool
from kombu.entity import Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from scheduler_service.addresses import redis_tls, without_query
from scheduler_service.brokers import transport
from scheduler_service.brokers.message import Message
from scheduler_service.config.settings import Settings
from scheduler_service.domain.routing import Routing
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.errors import ConfigurationError
from scheduler_service.startup import or_exit
from scheduler_service.telemetry import logging_config

# Notices that wait for publication. A notice above this limit is dropped; workers find its run by polling.
MAX_PENDING = 20_000
# Messages in a queue. A worker that one of them wakes fills all its slots, so these suffice for hundreds of slots; the
# other runs of a herd are claimed by workers that end a run.
WINDOW = 100
CONNECT_SECONDS = 1.0
# Longer than the transport's blocking pop, which takes up to one second.
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 2.0
MAX_SLOTS = 256
CLASSES = ("high", "normal", "low")
HIGH_FROM, NORMAL_FROM = 7, 4

log = structlog.get_logger(__name__)


class CeleryBroker:
    """Publishes in a separate thread, so that the caller never waits for Redis and never sees its errors."""

    def __init__(self, celery: Celery, routing: Routing) -> None:
        """Publish through `celery` to the queues that `routing` names."""
        self._celery = celery
        self._routing = routing
        self._publisher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="notices")
        # Notices that are neither published nor dropped yet.
        self.pending = 0

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Queue the notices for publication and return at once; see `Broker.send`."""
        room = MAX_PENDING - self.pending
        if len(notices) > room:
            log.warning("notices_dropped", reason="too many wait", dropped=len(notices) - room)
        if notices := notices[:room]:
            self.pending += len(notices)
            published = asyncio.get_running_loop().run_in_executor(self._publisher, self._publish, notices)
            published.add_done_callback(lambda _: self._forget(len(notices)))

    async def close(self) -> None:
        """Publish pending notices for up to `CLOSE_SECONDS`, drop the rest, and release the connections."""
        done = asyncio.get_running_loop().run_in_executor(self._publisher, self._celery.close)
        await asyncio.wait([done], timeout=CLOSE_SECONDS)
        self._publisher.shutdown(wait=False, cancel_futures=True)

    def _forget(self, count: int) -> None:
        self.pending -= count

    def _publish(self, notices: Sequence[RunNotice]) -> None:
        """Publish notices by descending priority until their queue has WINDOW messages.

        The first failure drops the rest of the batch. Messages go to the queue without Celery, which takes ten times as
        long for each.
        """
        waiting: dict[str, list[RunNotice]] = defaultdict(list)
        for notice in sorted(notices, key=lambda notice: -notice.priority):
            waiting[queue(class_of(notice.priority), self._routing.route(notice.tags)).name].append(notice)
        try:
            with self._celery.producer_or_acquire() as producer:
                redis = producer.channel.client
                for name, own in waiting.items():
                    room = max(0, WINDOW - redis.llen(name))
                    if messages := [_message(notice).write(name) for notice in own[:room]]:
                        redis.lpush(name, *messages)
        except (KombuError, RedisError, OSError) as error:
            log.warning("notices_dropped", reason=str(error), dropped=len(notices))


class Application(Celery):  # type: ignore[misc]
    """A Celery application with the settings that it was created from."""

    settings: Settings

    def Worker(self, *args: Any, **options: Any) -> Any:  # noqa: N802 (Celery's name for its class)
        """Build a worker whose slots come from the command line or else from the settings.

        It prints no banner if the log format is JSON. An option that the engine does not support ends the process.
        """
        self.settings = or_exit(lambda: with_slots(self.settings, options))
        return super().Worker(*args, **self._quiet(options))

    def Beat(self, *args: Any, **options: Any) -> Any:  # noqa: N802 (Celery's name for its class)
        """Build a beat. It prints no banner if the log format is JSON."""
        return super().Beat(*args, **self._quiet(options))

    def start(self, argv: list[str] | None = None) -> int:
        """Run Celery's command and return its exit code, which Celery's own `start` discards."""
        program.params[0].default = self
        try:
            code = program.main(args=sys.argv if argv is None else argv, standalone_mode=False)
        finally:
            program.params[0].default = None
        return code if isinstance(code, int) else 0

    def _quiet(self, options: dict[str, Any]) -> dict[str, Any]:
        # Celery can warn and fail before it has set up its own logging.
        logging_config.configure_logging(self.settings.log_level, self.settings.log_format)
        return {**options, "quiet": True} if self.settings.log_format == "json" else options


def create(settings: Settings) -> Application:
    """Build the configured Celery application. Every process of the distributed mode uses the same one.

    Messages are acknowledged early and have no ETA. Otherwise Redis redelivers a task that runs longer than the
    visibility timeout. Retries and results are off, because the database holds both. A worker prefetches one message
    per free slot; more would wait here during idle time of other workers.
    """
    assert settings.redis_url is not None  # noqa: S101 (nobody asks for a broker in the embedded mode)
    transport.install()
    url = settings.redis_url.get_secret_value()
    celery = Application("scheduler", broker=without_query(url))
    celery.settings = settings
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,
        task_ignore_result=True,
        task_create_missing_queues=False,
        task_default_queue=queue("normal", None).name,
        task_queues=tuple(queues(settings)),
        worker_pool="threads",
        worker_concurrency=settings.slots,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
        broker_use_ssl=redis_tls(url),
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={
            "queue_order_strategy": "priority",
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        beat_scheduler="scheduler_service.entrypoints.celery_beat:Scheduler",
    )
    return celery


def with_slots(settings: Settings, options: Mapping[str, Any]) -> Settings:
    """Return settings with the number of slots that the command line asks for.

    Raise `ConfigurationError` for Celery options without meaning here. A worker is one process whose threads wait for
    runs, and every run is a separate process.
    """
    if options.get("autoscale"):
        raise ConfigurationError("--autoscale: a worker has a fixed number of slots; write --concurrency=8 instead")
    if (options.get("pool") or options.get("pool_cls") or TaskPool) is not TaskPool:
        raise ConfigurationError("--pool: a worker uses threads, and each run is a process; remove the option")
    slots = options.get("concurrency") or settings.slots
    if not isinstance(slots, int) or not 1 <= slots <= MAX_SLOTS:
        raise ConfigurationError(f"--concurrency: {slots!r} is not a number from 1 to {MAX_SLOTS}")
    return settings.model_copy(update={"slots": slots})


def queues(settings: Settings) -> Iterator[Queue]:
    """Yield the queues that a worker with these settings consumes, the most urgent first."""
    for urgency in CLASSES:
        for tag in settings.worker_tags or (None,):
            yield queue(urgency, tag)


@cache
def queue(urgency: str, tag: str | None) -> Queue:
    """Return the queue for a priority class and a reserved tag, or for jobs without one if `tag` is None."""
    name = f"runs.{urgency}" if tag is None else f"runs.{tag}.{urgency}"
    return Queue(name, routing_key=name)


def class_of(priority: int) -> str:
    """Return the class of a priority from 0 (last) to 9."""
    return CLASSES[0] if priority >= HIGH_FROM else CLASSES[1] if priority >= NORMAL_FROM else CLASSES[2]


def _message(notice: RunNotice) -> Message:
    """Return a message with which monitors and other consumers find logs and traces."""
    return Message(notice.run_id, notice.attempt, notice.correlation_id, notice.trace_parent)
