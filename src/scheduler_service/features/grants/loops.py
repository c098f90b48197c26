"""The dispatcher's loop that fails runs whose grants were taken away."""

from __future__ import annotations

import structlog

from scheduler_service.domain.grants import GrantRules, refused_grants
from scheduler_service.engine.base import Base
from scheduler_service.engine.changes import after_changes
from scheduler_service.engine.loop import start_loop
from scheduler_service.storage import cancellations, jobs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

CHECK_SECONDS = 1.0
BATCH = 500

log = structlog.get_logger(__name__)


class GrantRefusals:
    """Fails the waiting runs of jobs that may not have their grants any more.

    A job was allowed its grants when it was stored. Without this, its runs would wait for a worker that never comes.
    """

    def __init__(self, database: Database, clock: Clock, rules: GrantRules) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def reject_refused(self) -> float:
        """Fail the runs that cannot have their grants. Return the seconds until the next check."""
        after_id, found = 0, BATCH
        while found == BATCH:
            async with self._database.read() as connection:
                waiting = await jobs.waiting_with_grants(connection, after_id, BATCH)
            for job_id, owner_id, grants in waiting:
                why = next((why for _, why in refused_grants(self._rules, grants, owner_id)), None)
                if why is not None:
                    await self._reject(job_id, f"{why}: the grant was taken away after the job had asked for it")
            after_id, found = waiting[-1][0] if waiting else after_id, len(waiting)
        return CHECK_SECONDS

    async def _reject(self, job_id: int, message: str) -> None:
        async with self._database.write() as connection:
            count = await cancellations.reject_waiting(connection, job_id, message, self._clock.now())
        if count:
            log.warning("runs_rejected", job_id=job_id, runs=count, cause=message)


def start_loops(base: Base, rules: GrantRules) -> None:
    """Start the loop."""
    refusals = GrantRefusals(base.database, base.clock, rules)
    start_loop(base.stack, "grant_refusals", after_changes(base.changes, refusals.reject_refused, CHECK_SECONDS))
