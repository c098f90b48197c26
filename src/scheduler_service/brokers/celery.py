"""The doorbell between processes: Celery on Redis. A message says that a run may be ready, and carries ids only."""

from __future__ import annotations

import asyncio
import sys
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
from scheduler_service.brokers.message import CORRELATION_HEADER, TASK, TRACE_HEADER, task_id
from scheduler_service.config.settings import Settings
from scheduler_service.domain.routing import Routing
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.errors import ConfigurationError
from scheduler_service.startup import or_exit
from scheduler_service.telemetry import logging_config

# Rings that wait to be published. One that finds no room is dropped: its run is found by a look at the database.
MAX_PENDING = 20_000
CONNECT_SECONDS = 1.0
# Longer than the second that a blocking pop of the transport takes at the most.
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 2.0
MOST_SLOTS = 256
CLASSES = ("high", "normal", "low")
HIGH_FROM, NORMAL_FROM = 7, 4

log = structlog.get_logger(__name__)


class CeleryBroker:
    """Publishes from a thread of its own: anybody who sends never waits for Redis, and never hears that it is down."""

    def __init__(self, celery: Celery, routing: Routing) -> None:
        """Publish through `celery` to the queues that `routing` names."""
        self._celery = celery
        self._routing = routing
        self._publisher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="notices")
        # Rings that are not yet published, nor dropped.
        self.pending = 0

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Hand notices over for publication, at once; see `Broker.send`."""
        room = MAX_PENDING - self.pending
        if len(notices) > room:
            log.warning("notices_dropped", reason="too many wait", dropped=len(notices) - room)
        if notices := notices[:room]:
            self.pending += len(notices)
            published = asyncio.get_running_loop().run_in_executor(self._publisher, self._publish, notices)
            published.add_done_callback(lambda _: self._forget(len(notices)))

    async def close(self) -> None:
        """Publish pending notices for up to CLOSE_SECONDS, drop the rest, and release the connections."""
        done = asyncio.get_running_loop().run_in_executor(self._publisher, self._celery.close)
        await asyncio.wait([done], timeout=CLOSE_SECONDS)
        self._publisher.shutdown(wait=False, cancel_futures=True)

    def _forget(self, count: int) -> None:
        self.pending -= count

    def _publish(self, notices: Sequence[RunNotice]) -> None:
        """Publish in the order of urgency; the first failure drops the batch: the next one tries anew."""
        try:
            with self._celery.producer_or_acquire() as producer:
                for notice in sorted(notices, key=lambda notice: -notice.priority):
                    self._celery.send_task(
                        TASK,
                        args=(notice.run_id, notice.attempt),
                        task_id=task_id(notice.run_id, notice.attempt),
                        queue=queue(class_of(notice.priority), self._routing.route(notice.tags)),
                        headers=_headers(notice),
                        ignore_result=True,
                        producer=producer,
                        retry=False,
                    )
        except (KombuError, RedisError, OSError) as error:
            log.warning("notices_dropped", reason=str(error), dropped=len(notices))


class Application(Celery):  # type: ignore[misc]
    """A Celery application that knows the settings it was made from."""

    settings: Settings

    def Worker(self, *args: Any, **options: Any) -> Any:  # noqa: N802 (Celery's name for its class)
        """Make a worker with the slots that its command line asks for, else with those of the settings.

        Where logs are for machines, it does not greet people. An option that the engine cannot honour ends the process.
        """
        self.settings = or_exit(lambda: with_slots(self.settings, options))
        return super().Worker(*args, **self._quiet(options))

    def Beat(self, *args: Any, **options: Any) -> Any:  # noqa: N802 (Celery's name for its class)
        """Make a beat, likewise."""
        return super().Beat(*args, **self._quiet(options))

    def start(self, argv: list[str] | None = None) -> int:
        """Run Celery's command, and return its exit code, which Celery itself loses."""
        program.params[0].default = self
        try:
            code = program.main(args=sys.argv if argv is None else argv, standalone_mode=False)
        finally:
            program.params[0].default = None
        return code if isinstance(code, int) else 0

    def _quiet(self, options: dict[str, Any]) -> dict[str, Any]:
        # Celery warns, and fails, before it has its logging set up.
        logging_config.configure_logging(self.settings.log_level, self.settings.log_format)
        return {**options, "quiet": True} if self.settings.log_format == "json" else options


def create(settings: Settings) -> Application:
    """Make the Celery application, configured; every process of the distributed setting has the same.

    Early acknowledgement and no ETA: on Redis, a task that is not acknowledged within the visibility timeout is
    delivered again while it runs. No retries, no results: both are the database's. One message is taken for each free
    slot; more would wait here while others idle.
    """
    assert settings.redis_url is not None  # noqa: S101 (nobody asks for a broker in the embedded setting)
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
    """Return the settings of a worker whose command line may ask for another number of slots.

    Raises `ConfigurationError` for options of Celery that have no meaning here: a worker is one process, whose threads
    wait for runs that are processes of their own.
    """
    if options.get("autoscale"):
        raise ConfigurationError("--autoscale: a worker has a fixed number of slots; write --concurrency=8 instead")
    if (options.get("pool") or options.get("pool_cls") or TaskPool) is not TaskPool:
        raise ConfigurationError("--pool: a worker uses threads, and each run is a process; remove the option")
    slots = options.get("concurrency") or settings.slots
    if not isinstance(slots, int) or not 1 <= slots <= MOST_SLOTS:
        raise ConfigurationError(f"--concurrency: {slots!r} is not a number from 1 to {MOST_SLOTS}")
    return settings.model_copy(update={"slots": slots})


def queues(settings: Settings) -> Iterator[Queue]:
    """Return the queues that the worker of these settings takes from, the most urgent first."""
    for urgency in CLASSES:
        for tag in settings.worker_tags or (None,):
            yield queue(urgency, tag)


@cache
def queue(urgency: str, tag: str | None) -> Queue:
    """Return a queue: there is one for each class of priority, and again for each reserved tag."""
    name = f"runs.{urgency}" if tag is None else f"runs.{tag}.{urgency}"
    return Queue(name, routing_key=name)


def class_of(priority: int) -> str:
    """Return the class of a priority from 0 (last) to 9."""
    return CLASSES[0] if priority >= HIGH_FROM else CLASSES[1] if priority >= NORMAL_FROM else CLASSES[2]


def _headers(notice: RunNotice) -> dict[str, str]:
    """Return what is not for the worker alone: by these, monitors and other consumers find logs and traces."""
    traced = {} if notice.trace_parent is None else {TRACE_HEADER: notice.trace_parent}
    return {CORRELATION_HEADER: notice.correlation_id, **traced}
