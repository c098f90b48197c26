"""Whether a worker can run anything.

After a fault of its sandbox (a full disk, no process to be had, a directory that is gone) the worker claims nothing:
the next runs would meet the same. It sends trial runs, at longer and longer intervals, and claims again after the
first that comes through. Meanwhile its row in the database says why, for `/health` and the metrics.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from scheduler_service.engine.worker_session import WorkerSession
from scheduler_service.sandbox.contract.spec import Sandbox, SandboxError

FIRST_REST_SECONDS = 0.5
LONGEST_REST_SECONDS = 30.0
# While all is well there is nothing to look for.
IDLE_SECONDS = 3600.0

log = structlog.get_logger(__name__)


class Fitness:
    """Keeps `node` from claiming while its sandbox is at fault."""

    def __init__(
        self, sandbox: Sandbox, node: WorkerSession, *, on_fault: Callable[[], None], on_fit: Callable[[], None]
    ) -> None:
        """`on_fault` has to let `look` be called soon; `on_fit` is called when the node may claim again."""
        self.sandbox = sandbox
        self._node = node
        self._on_fault = on_fault
        self._on_fit = on_fit
        self._rest_seconds = FIRST_REST_SECONDS

    def note_fault(self, error: SandboxError) -> None:
        """Stop claiming until a trial run has come through."""
        if self._node.unfit_reason is None:
            self._rest_seconds = FIRST_REST_SECONDS
        self._tell(str(error))
        self._on_fault()

    async def look(self) -> float:
        """Send a trial run if the worker is unfit, and return the seconds until the next one."""
        if self._node.unfit_reason is None:
            return IDLE_SECONDS
        try:
            await self.sandbox.rehearse()
        except SandboxError as error:
            self._tell(str(error))
            rest_seconds, self._rest_seconds = self._rest_seconds, min(LONGEST_REST_SECONDS, self._rest_seconds * 2)
            return rest_seconds
        log.info("worker_fit_again", worker=self._node.id)
        self._node.unfit_reason = None
        self._on_fit()
        return IDLE_SECONDS

    def _tell(self, reason: str) -> None:
        if reason != self._node.unfit_reason:
            log.error("worker_unfit", worker=self._node.id, reason=reason)
            self._node.unfit_reason = reason
