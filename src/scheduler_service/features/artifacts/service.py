"""Artifacts as callers may see them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.errors import NotFoundError, UnavailableError
from scheduler_service.features.artifacts import store
from scheduler_service.features.artifacts.byte_store import CHUNK_BYTES, ByteStoreError
from scheduler_service.features.artifacts.places import Places
from scheduler_service.features.artifacts.records import Place, StoredArtifact
from scheduler_service.services.run_rows import existing
from scheduler_service.storage.database import Database

log = structlog.get_logger(__name__)


class ArtifactService:
    """Lists artifacts and reads their bytes."""

    def __init__(self, database: Database, places: Places) -> None:
        self._database = database
        self._places = places

    async def of_run(self, caller: Caller, run_id: int) -> list[StoredArtifact]:
        """Return a run's artifacts, sorted by name. Raise `NotFoundError` for an unknown run."""
        async with self._database.read() as connection:
            await _check_run(connection, caller, run_id)
            return await store.of_run(connection, run_id)

    async def get(self, caller: Caller, run_id: int, name: str) -> StoredArtifact:
        """Return one artifact. Raise `NotFoundError` if the run or the artifact does not exist."""
        async with self._database.read() as connection:
            await _check_run(connection, caller, run_id)
            found = await store.find(connection, run_id, name)
        if found is None:
            raise NotFoundError(f"run {run_id} has no artifact {name!r}")
        return found

    async def read(self, artifact: StoredArtifact, start: int, end: int) -> AsyncIterator[bytes]:
        """Return an iterator over the bytes from `start` to `end`, of which the first have been read.

        Raise `UnavailableError` if the store fails before that. Later it can only break the iteration off.
        """
        chunks = self._from_database(artifact, start, end)
        if artifact.place is not Place.DATABASE:
            if (byte_store := self._places.stores.get(artifact.place)) is None:
                raise UnavailableError(f"the artifact is in the place {artifact.place!r}, which is not configured here")
            chunks = byte_store.read(artifact.id, start, end)
        try:
            first = await anext(chunks, b"")
        except ByteStoreError as error:
            log.warning("artifact_read_failed", artifact=artifact.id, place=artifact.place, error=str(error))
            raise UnavailableError("the store of this artifact failed; the log of the service says why") from error
        return _chained(first, chunks)

    async def _from_database(self, artifact: StoredArtifact, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            async with self._database.read() as connection:
                chunk = await store.read(connection, artifact.id, start, min(CHUNK_BYTES, end - start))
            if not chunk:
                raise ByteStoreError("it has just been deleted")
            start += len(chunk)
            yield chunk


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _check_run(connection: AsyncConnection, caller: Caller, run_id: int) -> None:
    caller.require(Scope.READ)
    await existing(connection, caller, run_id)
