"""Transactions: what `Database` promises on both kinds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.databases import NOON, add_job

from scheduler_service.errors import ConfigurationError, UnavailableError
from scheduler_service.storage import jobs, workers
from scheduler_service.storage.database import Database


async def test_a_write_is_rolled_back_by_an_exception(database: Database) -> None:
    async def fail_after_a_write() -> None:
        async with database.write() as connection:
            await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_a_write()
    async with database.read() as connection:
        assert await workers.living(connection) == []


async def test_concurrent_read_then_write_loses_no_update(database: Database) -> None:
    job = await add_job(database)

    async def increment() -> None:
        async with database.write() as connection:
            locked = await jobs.find(connection, job.id, lock=True)
            assert locked is not None
            await asyncio.sleep(0)
            assert await jobs.change(connection, job.id, locked.version, {"priority": 5}) is not None

    await asyncio.gather(*(increment() for _ in range(20)))
    async with database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found is not None
    assert found.version == 21


async def test_an_instant_comes_back_aware_and_exact_to_the_microsecond(database: Database) -> None:
    instant = NOON.replace(microsecond=123457)
    job = await add_job(database, start_at=instant)
    async with database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found is not None
    assert found.start_at == instant
    assert found.start_at.utcoffset() is not None


async def test_a_reader_of_sqlite_cannot_write(migrated_sqlite: Path) -> None:
    database = Database(f"sqlite:///{migrated_sqlite}")
    with pytest.raises(UnavailableError, match="readonly"):
        async with database.read() as connection:
            await connection.execute(text("DELETE FROM jobs"))
    await database.close()


async def test_an_unreachable_database_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(UnavailableError):
        async with database.read():
            pass
    await database.close()


@pytest.mark.parametrize("url", ["mysql://user:hunter2@host/db", "not a url hunter2", "postgresql+hunter2"])
def test_a_wrong_url_is_refused_without_showing_its_secret(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)
