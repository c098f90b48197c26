"""The rows of artifacts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.artifacts.records import Place, StoredArtifact
from scheduler_service.features.artifacts.tables import artifacts
from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.leases import HELD, Lease
from scheduler_service.storage.tables import runs

_COLUMNS = [artifacts.c[field.name] for field in fields(StoredArtifact)]
_held = select(runs.c.id).where(HELD).with_for_update()


async def add(connection: AsyncConnection, artifact: StoredArtifact, data: bytes | None, now: datetime) -> None:
    """Store the row of an artifact that belongs to no run yet. Repeating the call adds nothing."""
    values = {**asdict(artifact), "data": data, "created_at": now}
    await connection.execute(insert_or_ignore(connection, artifacts), values)


async def attach(connection: AsyncConnection, lease: Lease, ids: Collection[str]) -> bool:
    """Make these the artifacts of the lease's run, and no others. Return False if the lease is lost.

    The run is locked, so that no rescue comes between the check of the lease and the change.
    """
    if (await connection.execute(_held, lease.binds)).one_or_none() is None:
        return False
    others = (artifacts.c.run_id == lease.run_id, artifacts.c.id.not_in(ids))
    await connection.execute(update(artifacts).where(*others).values(run_id=None))
    await connection.execute(update(artifacts).where(artifacts.c.id.in_(ids)).values(run_id=lease.run_id))
    return True


async def of_run(connection: AsyncConnection, run_id: int) -> list[StoredArtifact]:
    """Return a run's artifacts, sorted by name."""
    query = select(*_COLUMNS).where(artifacts.c.run_id == run_id)
    found = [StoredArtifact(**row) for row in (await connection.execute(query)).mappings()]
    return sorted(found, key=lambda artifact: artifact.name)


async def find(connection: AsyncConnection, run_id: int, name: str) -> StoredArtifact | None:
    """Return an artifact of a run, or None."""
    query = select(*_COLUMNS).where(artifacts.c.run_id == run_id, artifacts.c.name == name)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else StoredArtifact(**row)


async def read(connection: AsyncConnection, artifact_id: str, start: int, size: int) -> bytes:
    """Return a part of the bytes that the database holds; none if the artifact was deleted."""
    query = select(func.substr(artifacts.c.data, start + 1, size)).where(artifacts.c.id == artifact_id)
    return bytes((await connection.execute(query)).scalar_one_or_none() or b"")


async def bytes_by_owner(connection: AsyncConnection, condition: ColumnElement[bool]) -> dict[str, int]:
    """Return the bytes of artifacts by owner, of the runs that the condition names."""
    total = cast(func.sum(artifacts.c.size), BigInteger)
    of_runs = select(runs.c.owner_id, total).join(artifacts, artifacts.c.run_id == runs.c.id)
    return dict((await connection.execute(of_runs.where(condition).group_by(runs.c.owner_id))).all())


async def garbage(
    connection: AsyncConnection, places: Iterable[Place], before: datetime, limit: int
) -> list[StoredArtifact]:
    """Return artifacts in these places that belong to no run and are older than `before`, the oldest first."""
    query = (
        select(*_COLUMNS)
        .where(artifacts.c.run_id.is_(None), artifacts.c.created_at < before, artifacts.c.place.in_(list(places)))
        .order_by(artifacts.c.created_at)
        .limit(limit)
    )
    return [StoredArtifact(**row) for row in (await connection.execute(query)).mappings()]


async def remove(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """Delete rows that belong to no run."""
    await connection.execute(delete(artifacts).where(artifacts.c.id.in_(ids), artifacts.c.run_id.is_(None)))
