"""The engine inside a Celery worker process: one event loop in a thread of its own, which all tasks share."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from celery import bootsteps

from scheduler_service.bootstrap import open_worker
from scheduler_service.config import Settings
from scheduler_service.engine.worker import Worker
from scheduler_service.errors import SchedulerError


class Engine:
    """The worker of this process, for Celery's threads to call."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing is started yet."""
        self._settings = settings
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._worker: Worker | None = None
        # Readable when a slot took its message: Celery's event loop, which sleeps up to a second, fetches the next.
        self.taken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def start(self) -> None:
        """Start the loop and the worker in it; raises `SchedulerError` where that is not possible."""
        portal = self._stack.enter_context(start_blocking_portal(name="engine"))
        self._worker = self._stack.enter_context(portal.wrap_async_context_manager(open_worker(self._settings)))
        self._portal = portal

    def execute(self, run_id: int, attempt: int) -> bool:
        """Execute a run and wait for its end, in any thread; False: it is not to be had, see `Worker.execute`."""
        os.eventfd_write(self.taken, 1)
        if self._portal is None or self._worker is None:
            return False
        return self._portal.call(self._worker.execute, run_id, attempt)

    def stop(self) -> None:
        """Drain, and end the loop. What Celery still brings is not to be had here."""
        portal, self._portal = self._portal, None
        if portal is not None:
            self._stack.close()


def step_of(engine: Engine) -> type[bootsteps.StartStopStep]:
    """Make the step of Celery's start and stop that starts and drains an engine."""

    class EngineStep(bootsteps.StartStopStep):  # type: ignore[misc]
        """Starts before messages are taken, and stops once they are not taken any more.

        Celery's consumer comes last when starting and first when stopping. The pool is required, so its threads
        outlive the runs that they wait for.
        """

        requires = ("celery.worker.components:Pool",)

        def start(self, _controller: Any) -> None:
            try:
                engine.start()
            except SchedulerError as error:
                sys.stderr.write(f"{error}\n")
                raise SystemExit(2) from None

        def register_with_event_loop(self, _controller: Any, hub: Any) -> None:
            hub.add_reader(engine.taken, os.eventfd_read, engine.taken)

        def stop(self, _controller: Any) -> None:
            engine.stop()

        terminate = stop

    return EngineStep
