"""Runs the dispatcher in a Celery beat process. Several beats may run at once: the database elects one of them."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from typing import Any

import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal
from celery import beat

from scheduler_service.bootstrap import open_dispatcher
from scheduler_service.brokers.celery import Application
from scheduler_service.brokers.monitor import Monitor
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.loop import UNAVAILABLE_REST_SECONDS
from scheduler_service.entrypoints.celery_events import TaskEvents, runs_url
from scheduler_service.errors import SchedulerError, UnavailableError
from scheduler_service.startup import WRONG_SETTING

log = structlog.get_logger(__name__)


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    """Runs a dispatcher tick instead of reading a schedule from a file, as Celery's own scheduler does.

    The dispatcher has an event loop in its own thread. Signals reach the main thread and therefore never interrupt a
    transaction. The first tick that finds the database available opens the dispatcher. It cannot be opened earlier,
    because Celery does not handle a shutdown during the construction of this object.
    """

    app: Application

    def setup_schedule(self) -> None:
        """Start the event loop. Celery also constructs schedulers to print their names, and then does not call this."""
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal(name="dispatcher"))
        self._dispatcher: Dispatcher | None = None
        monitor = Monitor(self.app, f"beat@{socket.gethostname()}")
        self._stack.callback(self._portal.call, monitor.close)
        self._events = TaskEvents(monitor, runs_url(self.app.settings))

    def tick(self, *_: Any, **__: Any) -> float:
        """Fire due instants, and return the seconds until the next tick."""
        try:
            if self._dispatcher is None:
                self._dispatcher = self._open()
            return self._portal.call(self._dispatcher.tick)
        except UnavailableError as error:
            log.warning("loop_stalled", loop="dispatch", error=str(error))
            return UNAVAILABLE_REST_SECONDS

    def close(self) -> None:
        """Stop after the current transaction. Celery calls this twice."""
        self._stack.close()
        super().close()

    def _open(self) -> Dispatcher:
        opened = open_dispatcher(self.app.settings, self._events)
        try:
            dispatcher = self._stack.enter_context(self._portal.wrap_async_context_manager(opened))
        except UnavailableError:
            raise
        except SchedulerError as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            # Nothing is open. Celery would treat SystemExit in a tick as a normal stop and exit with 0.
            os._exit(WRONG_SETTING)
        log.info("dispatcher_started")
        return dispatcher
