"""The quota of logs and artifacts: counted at intervals, and kept to by fires."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock

from scheduler_service.domain.quotas import BYTES_OF_MB, Quotas
from scheduler_service.engine.stored_bytes import INTERVAL, StoredByteCounter
from scheduler_service.features.artifacts.records import Place
from scheduler_service.features.artifacts.store import bytes_by_owner
from scheduler_service.features.artifacts.tables import artifacts
from scheduler_service.storage import stored_bytes
from scheduler_service.storage.database import Database
from scheduler_service.storage.due_fires import fire_due
from scheduler_service.storage.quota_tables import owner_quotas
from scheduler_service.storage.tables import runs

MINUTE = timedelta(minutes=1)
FULL, FREE = "full", "free"


async def give(database: Database, owner_id: str, stored_mb: int) -> None:
    async with database.write() as connection:
        given = {"owner_id": owner_id, "stored_mb": stored_mb, "updated_at": NOON}
        await connection.execute(insert(owner_quotas), given)


async def fire(database: Database, minutes: int = 0, default: int | None = None) -> Counter[tuple[str, str]]:
    """Fire what is due. Return the rows of that minute by owner and status."""
    now = NOON + minutes * MINUTE
    async with database.write() as connection:
        await fire_due(connection, now, 2000, max_notices=1000, quotas=Quotas(stored_mb=default))
    async with database.read() as connection:
        rows = await connection.execute(select(runs.c.owner_id, runs.c.status).where(runs.c.scheduled_for == now))
        return Counter((row.owner_id, str(row.status)) for row in rows)


async def store_log(database: Database, owner_id: str, size: int) -> None:
    async with database.write() as connection:
        await connection.execute(update(runs).where(runs.c.owner_id == owner_id).values(log_bytes=size))


async def count(database: Database, clock: FakeClock, default: int | None = None) -> dict[str, int]:
    await StoredByteCounter(database, clock, default, [bytes_by_owner]).count()
    async with database.read() as connection:
        return await stored_bytes.find_mb(connection, [FULL, FREE])


async def test_due_runs_without_room_for_logs_are_skipped(database: Database, clock: FakeClock) -> None:
    for owner_id in (FULL, FREE):
        await give(database, owner_id, 2)
        await add_job(database, owner_id=owner_id, overlap_policy="allow")
    await fire(database)
    await store_log(database, FULL, 2 * BYTES_OF_MB)
    await store_log(database, FREE, 2 * BYTES_OF_MB - 1)
    assert await count(database, clock) == {FULL: 2, FREE: 1}

    assert await fire(database, minutes=1) == {(FULL, "skipped"): 1, (FREE, "queued"): 1}
    async with database.read() as connection:
        row = (await connection.execute(select(runs).where(runs.c.status == "skipped"))).one()
    assert (row.reason, "take 2 MB, and 2 MB are allowed" in row.message) == ("quota", True)

    async with database.write() as connection:
        await connection.execute(delete(runs).where(runs.c.owner_id == FULL))
    clock.advance(INTERVAL.total_seconds())
    assert await count(database, clock) == {FULL: 0, FREE: 1}
    assert (await fire(database, minutes=2))[FULL, "queued"] == 1


async def test_artifacts_of_runs_are_counted(database: Database, clock: FakeClock) -> None:
    await give(database, FULL, 100)
    await add_job(database, owner_id=FULL)
    await fire(database)
    async with database.write() as connection:
        run_id = await connection.scalar(select(runs.c.id))
        about = {"sha256": "0" * 64, "media_type": "text/plain", "place": Place.URL, "created_at": NOON}
        sizes = {"kept": (run_id, 5 * BYTES_OF_MB), "garbage": (None, BYTES_OF_MB)}
        await connection.execute(
            insert(artifacts),
            [{"id": name, "name": name, "run_id": of, "size": size, **about} for name, (of, size) in sizes.items()],
        )
    await store_log(database, FULL, BYTES_OF_MB)
    assert await count(database, clock) == {FULL: 6}


@pytest.mark.parametrize(("default", "counted"), [(None, {}), (1, {FULL: 1})])
async def test_owners_without_a_quota_are_not_counted(
    database: Database, clock: FakeClock, default: int | None, counted: dict[str, int]
) -> None:
    await give(database, FREE, 0)
    for owner_id in (FULL, FREE):
        await add_job(database, owner_id=owner_id, overlap_policy="allow")
    await fire(database)
    for owner_id in (FULL, FREE):
        await store_log(database, owner_id, BYTES_OF_MB)

    assert await count(database, clock, default) == counted
    became = "queued" if default is None else "skipped"
    assert await fire(database, 1, default) == {(FULL, became): 1, (FREE, "queued"): 1}


async def test_counts_end_with_their_quotas(database: Database, clock: FakeClock) -> None:
    await give(database, FULL, 1)
    assert await count(database, clock) == {FULL: 0}
    await give(database, FREE, 1)
    assert await count(database, clock) == {FULL: 0, FREE: 0}
    async with database.write() as connection:
        await connection.execute(delete(owner_quotas))
    clock.advance(1)
    assert await count(database, clock) == {}


async def test_fresh_count_is_not_repeated(database: Database, clock: FakeClock) -> None:
    await give(database, FULL, 1)
    await count(database, clock)
    await add_job(database, owner_id=FULL)
    await fire(database)
    await store_log(database, FULL, BYTES_OF_MB)

    clock.advance(INTERVAL.total_seconds() / 2)
    assert await count(database, clock) == {FULL: 0}
    clock.advance(-INTERVAL.total_seconds())
    assert await count(database, clock) == {FULL: 1}
