"""The engine inside a Celery worker process: one event loop in a thread of its own, which all tasks share."""

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
from scheduler_service.engine.worker import Worker
from scheduler_service.entrypoints.celery_events import TaskEvents
from scheduler_service.errors import LoopFailedError, SchedulerError, UnavailableError
from scheduler_service.startup import WRONG_SETTING

log = structlog.get_logger(__name__)


class Engine:
    """The worker of this process, for Celery's threads to call."""

    def __init__(self, celery: Application) -> None:
        """Prepare; nothing is started yet."""
        self._celery = celery
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._worker: Worker | None = None
        # Readable when a slot took its message: Celery's event loop, which sleeps up to a second, fetches the next.
        self.taken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def start(self, hostname: str) -> None:
        """Start the loop and the worker in it, once the database answers; `hostname` is Celery's name for the worker.

        Raises `SchedulerError` if that is not possible, `WorkerShutdown` if the process is to stop meanwhile.
        """
        portal = self._stack.enter_context(start_blocking_portal(name="engine"))
        monitor = Monitor(self._celery, hostname)
        self._stack.callback(portal.call, monitor.close)
        try:
            while not self._try_to_open(portal, TaskEvents(monitor)):
                time.sleep(UNAVAILABLE_REST_SECONDS)
                maybe_shutdown()
        except BaseException:
            self._stack.close()
            raise
        self._portal = portal

    def execute(self, run_id: int, attempt: int) -> bool:
        """Execute a run and wait for its end, in any thread; False: it is not to be had, see `Worker.execute`."""
        os.eventfd_write(self.taken, 1)
        if self._portal is None or self._worker is None:
            return False
        return self._portal.call(self._worker.execute, run_id, attempt)

    def stop(self) -> None:
        """Drain, and end the loop. What Celery still brings is not to be had here."""
        self._portal = None
        self._stack.close()

    def _try_to_open(self, portal: BlockingPortal, events: TaskEvents) -> bool:
        opened = open_worker(self._celery.settings, dropped.take, events)
        try:
            self._worker = self._stack.enter_context(portal.wrap_async_context_manager(opened))
        except UnavailableError as error:
            log.warning("start_waits_for_database", error=str(error))
            return False
        return True


def step_of(engine: Engine) -> type[bootsteps.StartStopStep]:
    """Make the step of Celery's start and stop that starts and drains an engine."""

    class EngineStep(bootsteps.StartStopStep):  # type: ignore[misc]
        """Starts before messages are taken, and stops once they are not taken any more.

        Celery's consumer comes last when starting and first when stopping. The pool is required, so its threads
        outlive the runs that they wait for.
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
