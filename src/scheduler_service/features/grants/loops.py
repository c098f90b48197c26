"""The dispatcher's loop that ends runs whose grants were taken away."""

from __future__ import annotations

import structlog

from scheduler_service.domain.grants import GrantRules, refused_grants
from scheduler_service.engine.base import Base
from scheduler_service.engine.loop import start_loop
from scheduler_service.storage import cancellations, runs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

LOOK_SECONDS = 1.0
_BATCH = 200

log = structlog.get_logger(__name__)


class GrantRefusals:
    """Ends waiting runs that may not have the grants of their job: such a run would wait for a worker forever.

    A job that is stored was allowed its grants. Its next run fails if the operator takes one away.
    """

    def __init__(self, database: Database, clock: Clock, rules: GrantRules) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def look(self) -> float:
        """End the runs that cannot have their grants, and return the seconds until the next look."""
        async with self._database.read() as connection:
            waiting = await runs.waiting_with_grants(connection, _BATCH)
        for run, job in waiting:
            for position, why in refused_grants(self._rules, job.grants, job.owner_id):
                message = f"{why}: the grant was taken away after the job had asked for it"
                async with self._database.write() as connection:
                    if await cancellations.reject_waiting(connection, run, message, self._clock.now()):
                        log.warning("run_rejected", run_id=run.id, job_id=job.id, grant=job.grants[position])
                break
        return LOOK_SECONDS


def start_loops(base: Base, rules: GrantRules) -> None:
    """Start the loop."""
    start_loop(base.stack, "grants", GrantRefusals(base.database, base.clock, rules).look)
