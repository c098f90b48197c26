"""Runs the engine in a Celery worker process.

Theory of operation. One event loop in a separate thread holds the engine, which claims and executes runs by itself. A
message only wakes it. Each of Celery's pool threads takes a message, calls `Engine.take_notice`, and blocks while no
slot is free. A busy worker thereby leaves messages to others.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import Any

import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal
from celery import bootsteps
from celery.platforms import EX_FAILURE
from celery.worker.state import maybe_shutdown

from scheduler_service.bootstrap import open_worker
from scheduler_service.brokers.celery import Application
from scheduler_service.brokers.monitor import Monitor
from scheduler_service.brokers.transport import dropped
from scheduler_service.engine.loop import UNAVAILABLE_REST_SECONDS
from scheduler_service.engine.slot_filler import SlotFiller
from scheduler_service.entrypoints.celery_events import TaskEvents, runs_url
from scheduler_service.errors import LoopFailedError, SchedulerError, UnavailableError
from scheduler_service.startup import WRONG_SETTING

log = structlog.get_logger(__name__)


class Engine:
    """The engine of this process, called from Celery's threads."""

    def __init__(self, celery: Application) -> None:
        """Store the application. `start` starts the engine."""
        self._celery = celery
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._worker: SlotFiller | None = None
        # Readable after a thread took its message. It wakes Celery's event loop, which sleeps up to a second, to fetch
        # the next message.
        self.taken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def start(self, hostname: str) -> None:
        """Start the event loop and the worker as soon as the database is available.

        `hostname` is Celery's name for the worker. Raise `SchedulerError` if the worker cannot start, and
        `WorkerShutdown` if the process is asked to stop first.
        """
        portal = self._stack.enter_context(start_blocking_portal(name="engine"))
        monitor = Monitor(self._celery, hostname)
        self._stack.callback(portal.call, monitor.close)
        try:
            events = TaskEvents(monitor, runs_url(self._celery.settings))
            while not self._try_to_open(portal, events, hostname):
                time.sleep(UNAVAILABLE_REST_SECONDS)
                maybe_shutdown()
        except BaseException:
            self._stack.close()
            raise
        self._portal = portal

    def take_notice(self) -> None:
        """Wake the engine, and return when a slot is free, from any thread; see `SlotFiller.take_notice`."""
        os.eventfd_write(self.taken, 1)
        if self._portal is not None and self._worker is not None:
            self._portal.call(self._worker.take_notice)

    def stop(self) -> None:
        """Drain the worker and end the loop. Messages that Celery still delivers have no effect."""
        self._portal = None
        self._stack.close()

    def _try_to_open(self, portal: BlockingPortal, events: TaskEvents, hostname: str) -> bool:
        opened = open_worker(self._celery.settings, dropped.take, events, hostname)
        try:
            self._worker = self._stack.enter_context(portal.wrap_async_context_manager(opened))
        except UnavailableError as error:
            log.warning("start_delayed", error=str(error))
            return False
        return True


def step_of(engine: Engine) -> type[bootsteps.StartStopStep]:
    """Return the Celery bootstep class that starts and drains `engine`."""

    class EngineStep(bootsteps.StartStopStep):  # type: ignore[misc]
        """Starts before Celery consumes messages, and stops after it has ceased to.

        Celery's consumer starts last and stops first. The step requires the pool, so that the pool's threads outlive
        the runs that they wait for.
        """

        requires = ("celery.worker.components:Pool",)

        def start(self, controller: Any) -> None:
            try:
                engine.start(controller.hostname)
            except SchedulerError as error:
                sys.stderr.write(f"{error}\n")
                raise SystemExit(WRONG_SETTING) from None

        def register_with_event_loop(self, _controller: Any, hub: Any) -> None:
            hub.add_reader(engine.taken, os.eventfd_read, engine.taken)

        def stop(self, controller: Any) -> None:
            try:
                engine.stop()
            except LoopFailedError as error:
                log.critical("worker_failed", error=str(error))
                controller.exitcode = EX_FAILURE

        terminate = stop

    return EngineStep
