"""Leases, which decide which worker may write about an attempt.

Theory of operation. A claim gives one worker the lease of one attempt: (run, attempt, fault count, worker). Every write
of the attempt has `HELD` in its WHERE clause. After a rescue, the row names another worker or attempt, so a late write
of the old worker matches no row. This is fencing: the old worker need not know that it lost the lease.
"""

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
"""The condition that a lease is still held. `Lease.binds` provides its parameters."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to one attempt, which guards every write of the attempt.

    An attempt that the sandbox could not start passes its number on to the next one; `fault_count` distinguishes them.
    """

    run_id: int
    attempt: int
    worker_id: str
    fault_count: int = 0

    @property
    def binds(self) -> dict[str, Any]:
        """Return the parameters of `HELD`."""
        return {
            "of_run": self.run_id,
            "of_attempt": self.attempt,
            "of_worker": self.worker_id,
            "of_faults": self.fault_count,
        }
