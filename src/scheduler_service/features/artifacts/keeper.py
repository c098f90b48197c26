"""Keeps the artifacts of attempts; the package's docstring explains the order of the steps."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import uuid
from collections.abc import Sequence

import structlog

from scheduler_service.engine.artifacts import KeptArtifacts
from scheduler_service.engine.log_writer import LeaseLostError
from scheduler_service.engine.loop import until_available
from scheduler_service.features.artifacts import store
from scheduler_service.features.artifacts.byte_store import ByteStoreError
from scheduler_service.features.artifacts.places import Places
from scheduler_service.features.artifacts.records import Place, StoredArtifact
from scheduler_service.sandbox.contract.collected import Artifact, Collected
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease

UPLOAD_SECONDS = 600.0
_UNKNOWN = "application/octet-stream"

log = structlog.get_logger(__name__)


class ArtifactKeeper:
    """Stores what attempts left, under their leases."""

    def __init__(self, database: Database, clock: Clock, places: Places) -> None:
        self._database = database
        self._clock = clock
        self._places = places

    async def keep(self, claimed: Claimed, collected: Collected) -> KeptArtifacts:
        """Make what was collected the artifacts of the run, in place of those of the attempt before.

        An artifact that cannot be stored is one of the problems. Raise `LeaseLostError` if the attempt is stale.
        """
        kept: list[StoredArtifact] = []
        problems: list[str] = []
        for artifact in collected.artifacts:
            try:
                kept.append(await self._store(claimed.lease, collected, artifact))
            except ByteStoreError as error:
                problems.append(f'artifact "{artifact.name}" is left out: {error}')
        if kept or claimed.run.attempt > 1:
            await until_available(lambda: self._attach(claimed.lease, kept), run_id=claimed.run.id)
        return KeptArtifacts(tuple({"name": each.name, "size": each.size} for each in kept), tuple(problems))

    async def _store(self, lease: Lease, collected: Collected, artifact: Artifact) -> StoredArtifact:
        if refusal := self._places.refusal_of(artifact.size):
            raise ByteStoreError(refusal)
        place = self._places.current
        stored = StoredArtifact(
            id=uuid.uuid4().hex,
            name=artifact.name,
            size=artifact.size,
            sha256=await asyncio.to_thread(_digest, collected, artifact),
            media_type=mimetypes.guess_type(artifact.name, strict=False)[0] or _UNKNOWN,
            place=place,
        )
        data = await asyncio.to_thread(_read, collected, artifact) if place is Place.DATABASE else None
        await until_available(lambda: self._add(stored, data), run_id=lease.run_id)
        if place is not Place.DATABASE:
            await self._upload(stored, collected, artifact)
        return stored

    async def _upload(self, stored: StoredArtifact, collected: Collected, artifact: Artifact) -> None:
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                await self._places.stores[stored.place].put(stored.id, lambda: collected.read(artifact))
        except (ByteStoreError, TimeoutError) as error:
            log.warning(
                "artifact_upload_failed", artifact=stored.id, place=stored.place, error=str(error) or "too slow"
            )
            raise ByteStoreError("its store failed; the log of the worker says why") from error

    async def _add(self, stored: StoredArtifact, data: bytes | None) -> None:
        async with self._database.write() as connection:
            await store.add(connection, stored, data, self._clock.now())

    async def _attach(self, lease: Lease, kept: Sequence[StoredArtifact]) -> None:
        async with self._database.write() as connection:
            if not await store.attach(connection, lease, [each.id for each in kept]):
                raise LeaseLostError


def _digest(collected: Collected, artifact: Artifact) -> str:
    digest = hashlib.sha256()
    for chunk in collected.read(artifact):
        digest.update(chunk)
    return digest.hexdigest()


def _read(collected: Collected, artifact: Artifact) -> bytes:
    return b"".join(collected.read(artifact))
