"""Publishes task events for Flower and other Celery monitors.

Celery's own events describe messages. Here a message is only a hint: a run can start without one, and a late message
has no effect. Workers therefore publish events about attempts, with one task for each attempt.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeAlias

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

MAX_PENDING = 10_000
BATCH = 50
# Events of this time share a message. A monitor does not notice, and a busy worker sends tens of messages fewer.
COLLECT_SECONDS = 0.1
CLOSE_SECONDS = 1.0

_Event: TypeAlias = tuple[str, str, dict[str, Any]]
"""The kind, the worker, and the fields."""

log = structlog.get_logger(__name__)


class Monitor:
    """Publishes events in a separate thread, so that a slow or failed Redis never delays a run."""

    def __init__(self, celery: Celery, hostname: str) -> None:
        """Publish as `hostname`, the name that Celery assigned to this process."""
        self._celery = celery
        self._hostname = hostname
        self._lock = threading.Lock()
        self._waiting: deque[_Event] = deque()
        self._is_scheduled = False
        self._closing = threading.Event()
        self._dispatcher: Any = None
        self._publisher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="task-events")

    def send(self, kind: str, *, of_worker: str | None = None, **fields: Any) -> None:
        """Queue an event for publication. An event that cannot be published is dropped.

        `of_worker` names another worker that the event is about.
        """
        with self._lock:
            if len(self._waiting) >= MAX_PENDING:
                return
            self._waiting.append((kind, of_worker or self._hostname, fields))
            if self._is_scheduled:
                return
            self._is_scheduled = True
        self._publisher.submit(self._publish_all)

    async def close(self) -> None:
        """Publish pending events for up to `CLOSE_SECONDS` and drop the rest."""
        self._closing.set()
        done = asyncio.get_running_loop().run_in_executor(self._publisher, self._disconnect)
        await asyncio.wait([done], timeout=CLOSE_SECONDS)
        self._publisher.shutdown(wait=False, cancel_futures=True)

    def _publish_all(self) -> None:
        self._closing.wait(COLLECT_SECONDS)
        while batch := self._take():
            try:
                self._publish(batch)
            except (KombuError, RedisError, OSError) as error:
                self._disconnect()
                log.info("task_events_dropped", dropped=len(batch), reason=str(error))

    def _take(self) -> list[_Event]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._is_scheduled = bool(batch)
            return batch

    def _publish(self, batch: list[_Event]) -> None:
        """Publish events as one message, as Celery's workers do."""
        if self._dispatcher is None:
            self._dispatcher = self._celery.events.Dispatcher(
                self._celery.connection_for_write(),
                hostname=self._hostname,
                buffer_group={"task"},
                buffer_limit=BATCH + 1,
                buffer_while_offline=False,
            )
        for kind, hostname, fields in batch:
            self._dispatcher.hostname = hostname
            self._dispatcher.send(kind, **fields)
        self._dispatcher.flush()

    def _disconnect(self) -> None:
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            with suppress(KombuError, RedisError, OSError):
                dispatcher.close()
                dispatcher.connection.close()
