"""The dispatcher inside a Celery beat process. Any number of beats may be alive: the database sorts them out."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any

import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal
from celery import beat

from scheduler_service.bootstrap import open_dispatcher
from scheduler_service.brokers.celery import Application
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.loop import UNAVAILABLE_REST_SECONDS
from scheduler_service.errors import SchedulerError, UnavailableError
from scheduler_service.startup import WRONG_SETTING

log = structlog.get_logger(__name__)


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    """Ticks the dispatcher where Celery's own scheduler would look at a schedule in a file.

    The dispatcher lives on an event loop in a thread of its own, so that a signal, which strikes the main thread, never
    strikes inside a transaction. It is opened by the first tick that finds a database which answers: while Celery makes
    this object, it could not be stopped.
    """

    app: Application

    def setup_schedule(self) -> None:
        """Start the loop; Celery also makes schedulers only to print their names, and does not call this then."""
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal(name="dispatcher"))
        self._dispatcher: Dispatcher | None = None

    def tick(self, *_: Any, **__: Any) -> float:
        """Fire what is due, and return the seconds until there may be more."""
        try:
            if self._dispatcher is None:
                self._dispatcher = self._open()
            return self._portal.call(self._dispatcher.tick)
        except UnavailableError as error:
            log.warning("loop_waits_for_database", loop="dispatch", error=str(error))
            return UNAVAILABLE_REST_SECONDS

    def close(self) -> None:
        """Stop after the current transaction. Celery calls this twice."""
        self._stack.close()
        super().close()

    def _open(self) -> Dispatcher:
        opened = open_dispatcher(self.app.settings)
        try:
            dispatcher = self._stack.enter_context(self._portal.wrap_async_context_manager(opened))
        except UnavailableError:
            raise
        except SchedulerError as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            # Nothing is open. Celery takes SystemExit in a tick for a request to stop, and ends with 0.
            os._exit(WRONG_SETTING)
        log.info("dispatcher_started")
        return dispatcher
