"""Stops the claims of a worker whose sandbox fails.

Theory of operation. If the sandbox cannot start an attempt (full disk, no processes left, missing directory), the next
runs would fail too. The worker therefore claims nothing and starts trial runs at growing intervals. It claims again
after the first one that succeeds. Meanwhile its row in the database holds the reason, which `/health` and the metrics
show.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from scheduler_service.engine.worker_session import WorkerSession
from scheduler_service.sandbox.contract.spec import Sandbox, SandboxError

FIRST_REST_SECONDS = 0.5
MAX_REST_SECONDS = 30.0
# There is nothing to check as long as the sandbox works.
IDLE_SECONDS = 3600.0

log = structlog.get_logger(__name__)


class Fitness:
    """Stops the claims of `session` as long as its sandbox fails."""

    def __init__(
        self, sandbox: Sandbox, session: WorkerSession, *, on_fault: Callable[[], None], on_ready: Callable[[], None]
    ) -> None:
        """Call `on_fault` to schedule an early trial run, and `on_ready` when the session may claim again."""
        self.sandbox = sandbox
        self._session = session
        self._on_fault = on_fault
        self._on_fit = on_ready
        self._rest_seconds = FIRST_REST_SECONDS

    def note_fault(self, error: SandboxError) -> None:
        """Stop claims until a trial run succeeds."""
        if self._session.unfit_reason is None:
            self._rest_seconds = FIRST_REST_SECONDS
        self._tell(str(error))
        self._on_fault()

    async def try_if_unfit(self) -> float:
        """Make a trial run if the worker is unfit, and return the seconds until the next one."""
        if self._session.unfit_reason is None:
            return IDLE_SECONDS
        try:
            await self.sandbox.try_run()
        except SandboxError as error:
            self._tell(str(error))
            rest_seconds, self._rest_seconds = self._rest_seconds, min(MAX_REST_SECONDS, self._rest_seconds * 2)
            return rest_seconds
        log.info("worker_recovered", worker=self._session.id)
        self._session.unfit_reason = None
        self._on_fit()
        return IDLE_SECONDS

    def _tell(self, reason: str) -> None:
        if reason != self._session.unfit_reason:
            log.error("worker_marked_unfit", worker=self._session.id, reason=reason)
            self._session.unfit_reason = reason
