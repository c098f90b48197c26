"""Who may write of an attempt: the worker that holds its lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.tables import runs, with_status

HELD = and_(
    runs.c.id == bindparam("of_run"),
    with_status(RunStatus.RUNNING),
    runs.c.attempt == bindparam("of_attempt"),
    runs.c.worker_id == bindparam("of_worker"),
    runs.c.fault_count == bindparam("of_faults"),
)
"""The condition that a lease still holds, for `Lease.binds`."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to one attempt; every write of the attempt is guarded by it.

    An attempt that the sandbox could not begin gives its number to the next one, so `fault_count` tells the two apart.
    """

    run_id: int
    attempt: int
    worker_id: str
    fault_count: int = 0

    @property
    def binds(self) -> dict[str, Any]:
        """Return what `HELD` asks for."""
        return {
            "of_run": self.run_id,
            "of_attempt": self.attempt,
            "of_worker": self.worker_id,
            "of_faults": self.fault_count,
        }
