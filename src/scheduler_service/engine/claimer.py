"""Claims runs for the free slots of a worker.

Theory of operation. One claim takes a run for each free slot, so a busy worker needs few of them. A claim can be
committed although its answer is lost. It is not repeated before the database has told which runs this worker holds: the
runs among them that nothing executes are the lost answer.

The slots are divided between owners; `storage/fair_shares` says how. The claimer remembers whose runs it began.
"""

from __future__ import annotations

from functools import partial

import structlog

from scheduler_service.domain.fair_turns import FairTurns
from scheduler_service.domain.routing import Routing
from scheduler_service.engine.loop import until_available
from scheduler_service.engine.worker_session import AttemptHandle, WorkerSession
from scheduler_service.errors import UnavailableError
from scheduler_service.storage import claims
from scheduler_service.storage.claims import Claimed, SlotTakenError
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

# Two workers that compete for the slots of one job collide; after so many collisions, the next look tries again.
TRIES = 3

log = structlog.get_logger(__name__)


class Claimer:
    """Claims runs under the id of a worker, one claim at a time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        session: WorkerSession,
        routing: Routing,
        *,
        max_concurrent_runs: int | None = None,
    ) -> None:
        """Claim what `routing` assigns to this worker.

        `max_concurrent_runs` is the quota of owners that have none of their own; None: no limit.
        """
        self._database = database
        self._direct = database.direct()
        self._clock = clock
        self._session = session
        self._routing = routing
        self._max_concurrent_runs = max_concurrent_runs
        self._turns = FairTurns()

    async def claim(self, limit: int) -> list[tuple[Claimed, AttemptHandle]]:
        """Claim up to `limit` runs that are due, fairly between owners, and track their attempts."""
        with self._session.claiming():
            try:
                claimed = await self._try_to_claim(limit)
            except UnavailableError as error:
                log.warning("claim_answer_lost", error=str(error))
                self._session.note_lost_answer()
                claimed = await until_available(self._find_lost)
            self._turns.note(each.run.owner_id for each in claimed)
            return [(each, self._session.track(each.lease)) for each in claimed]

    async def _try_to_claim(self, limit: int) -> list[Claimed]:
        worker_id = self._session.id
        for _ in range(TRIES):
            claim = partial(
                claims.claim,
                worker_id=worker_id,
                now=self._clock.now(),
                limit=limit,
                routing=self._routing,
                turns=self._turns,
                max_concurrent_runs=self._max_concurrent_runs,
            )
            try:
                # With SQLite, a power failure ends the worker too, and the run is then still queued.
                return await self._direct.write(claim, outlives_host=False)
            except SlotTakenError:
                continue
        return []

    async def _find_lost(self) -> list[Claimed]:
        # Taken before the look: an attempt that ends after it is still among the held runs, and must not be repeated.
        tracked = self._session.tracked
        async with self._database.read() as connection:
            held = await claims.find_claimed(connection, self._session.id)
        return [each for each in held if each.lease not in tracked]
