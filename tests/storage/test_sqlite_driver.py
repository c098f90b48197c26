"""How statements on SQLite reach the thread of their connection."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from testkit.databases import NOON

from scheduler_service.storage import workers
from scheduler_service.storage.database import Database


@pytest.fixture
async def sqlite(migrated_sqlite: Path, tmp_path: Path) -> Any:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path)}")
    yield database
    await database.close()


@pytest.fixture
def hand_overs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what is handed over from now on."""
    seen: list[str] = []
    execute: Any = aiosqlite.Connection._execute

    async def noted(connection: Any, work: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(work.__name__)
        return await execute(connection, work, *arguments, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", noted)
    return seen


async def test_a_transaction_that_reads_hands_over_each_statement_once(sqlite: Any, hand_overs: list[str]) -> None:
    async with sqlite.read() as connection:
        await connection.execute(text("SELECT 1"))  # opens the connection
    hand_overs.clear()

    async with sqlite.snapshot() as connection:
        assert (await connection.execute(text("SELECT id FROM jobs"))).all() == []
        assert (await connection.execute(text("SELECT 1, 2"))).all() == [(1, 2)]

    assert len(hand_overs) == 2


async def test_a_write_hands_over_begin_statement_and_commit(sqlite: Any, hand_overs: list[str]) -> None:
    async with sqlite.write() as connection:
        await workers.living(connection)
    hand_overs.clear()

    async with sqlite.write() as connection:
        await connection.execute(text("DELETE FROM runs"))

    assert len(hand_overs) == 3


async def test_a_snapshot_sees_the_state_of_its_first_statement(sqlite: Any) -> None:
    async with sqlite.snapshot() as connection:
        before = await workers.living(connection)
        async with sqlite.write() as writing:
            await workers.register(writing, "w", host="h", pid=1, slots=1, now=NOON)
        after = await workers.living(connection)
    async with sqlite.snapshot() as connection:
        later = await workers.living(connection)

    assert before == after == []
    assert len(later) == 1


async def test_a_failed_statement_leaves_the_connection_usable(sqlite: Any) -> None:
    values = {"name": "a", "other": "a"}
    insert = """
        INSERT INTO idempotency_keys (scope, key, fingerprint, resource_id, created_at)
        VALUES (:name, :other, 'f', 1, 0)
    """
    async with sqlite.write() as connection:
        added = await connection.execute(text(insert), values)
    assert added.rowcount == 1

    with pytest.raises(IntegrityError):
        async with sqlite.write() as connection:
            await connection.execute(text(insert), values)

    async with sqlite.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM idempotency_keys"))).scalar_one() == 1


async def test_an_empty_read_transaction_needs_no_hand_over(sqlite: Any, hand_overs: list[str]) -> None:
    async with sqlite.read() as connection:
        await connection.execute(text("SELECT 1"))
    hand_overs.clear()

    async with sqlite.read():
        pass

    assert hand_overs == []
