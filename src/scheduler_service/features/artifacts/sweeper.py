"""Deletes artifacts that belong to no run, and the loop that does so in a dispatcher."""

from __future__ import annotations

from datetime import timedelta

import structlog

from scheduler_service.engine.base import Base
from scheduler_service.engine.loop import start_loop
from scheduler_service.features.artifacts import store
from scheduler_service.features.artifacts.byte_store import ByteStoreError
from scheduler_service.features.artifacts.places import Places, open_places
from scheduler_service.features.artifacts.records import Place, StoredArtifact
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

BATCH = 100
REST_SECONDS = 600.0
MIN_AGE = timedelta(hours=1)
"""Younger rows may be of an attempt that is still storing its artifacts."""

log = structlog.get_logger(__name__)


class ArtifactSweeper:
    """Deletes first the bytes and then the rows of garbage. What cannot be deleted is tried again later."""

    def __init__(self, database: Database, clock: Clock, places: Places) -> None:
        self._database = database
        self._clock = clock
        self._places = places

    async def sweep(self) -> float:
        """Delete one batch, and return the seconds until the next call."""
        places = (Place.DATABASE, *self._places.stores)
        async with self._database.read() as connection:
            found = await store.garbage(connection, places, self._clock.now() - MIN_AGE, BATCH)
        deleted = [artifact.id for artifact in found if await self._is_deleted(artifact)]
        if deleted:
            async with self._database.write() as connection:
                await store.remove(connection, deleted)
        return 0.0 if len(deleted) == BATCH else REST_SECONDS

    async def _is_deleted(self, artifact: StoredArtifact) -> bool:
        if artifact.place is not Place.DATABASE:
            try:
                await self._places.stores[artifact.place].delete(artifact.id)
            except ByteStoreError as error:
                log.warning("artifact_deletion_failed", artifact=artifact.id, place=artifact.place, error=str(error))
                return False
        return True


def start_loops(base: Base) -> None:
    """Start the loop."""
    start_loop(base.stack, "artifacts", ArtifactSweeper(base.database, base.clock, open_places(base.settings)).sweep)
