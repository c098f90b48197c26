"""What `Database` promises about transactions, on both kinds of database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from testkit.databases import NOON, add_job

from scheduler_service.config.settings import Settings
from scheduler_service.errors import ConfigurationError, UnavailableError
from scheduler_service.storage import jobs, migrations, workers
from scheduler_service.storage.database import Database


async def test_exception_rolls_a_write_back(database: Database) -> None:
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
            await jobs.change(connection, [(job.id, {"version": locked.version + 1})])

    await asyncio.gather(*(increment() for _ in range(20)))
    async with database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found is not None
    assert found.version == 21


async def test_instants_are_read_aware_and_exact_to_the_microsecond(database: Database) -> None:
    instant = NOON.replace(microsecond=123457)
    job = await add_job(database, start_at=instant)
    async with database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found is not None
    assert found.start_at == instant
    assert found.start_at.utcoffset() is not None


async def test_sqlite_reader_cannot_write(migrated_sqlite: Path) -> None:
    database = Database(f"sqlite:///{migrated_sqlite}")
    with pytest.raises(UnavailableError, match="readonly"):
        async with database.read() as connection:
            await connection.execute(text("DELETE FROM jobs"))
    await database.close()


async def test_unreachable_database_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(UnavailableError):
        async with database.read():
            pass
    await database.close()


async def test_sqlite_is_unavailable_while_another_program_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/s.db")
    async with database.write() as connection:
        await connection.execute(text("PRAGMA busy_timeout = 1"))  # for the test alone: it would wait half a minute
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            async with database.write():
                pass
        other.execute("COMMIT")

    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE t (x)"))
    await database.close()


async def test_closed_connection_is_replaced(database: Database) -> None:
    async with database.write() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.close()

    with suppress(UnavailableError):  # it may be noticed before it is used
        async with database.write():
            pass
    async with database.write() as connection:
        assert await workers.living(connection) == []


async def test_connections_that_the_server_ended_are_replaced(postgres_url: str) -> None:
    database = Database(postgres_url)
    end_others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"

    async def ask(question: str, *, opens: asyncio.Barrier) -> list[Any]:
        async with database.read() as connection:
            await opens.wait()
            return list(await connection.execute(text(question)))

    async def ask_thrice(question: str) -> list[list[Any]]:
        opens = asyncio.Barrier(3)
        return await asyncio.gather(*(ask(question, opens=opens) for _ in range(3)))

    await ask_thrice("SELECT 1")
    await ask(f"{end_others} AND datname = current_database()", opens=asyncio.Barrier(1))
    await asyncio.sleep(0)
    assert await ask_thrice("SELECT 1") == [[(1,)]] * 3
    await database.close()


async def test_sqlite_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/s.db")
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE t (x)"))

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}  # noqa: ASYNC240 (a look)
    await database.close()

    assert modes == {"s.db": "0o600", "s.db-wal": "0o600", "s.db-shm": "0o600"}


@pytest.mark.parametrize("name", ["q a?b", "q#x", "q%41", "q&mode=rw", "qé"])
async def test_sqlite_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path / name)
    settings.prepare_data_dir()
    database = Database(settings.effective_database_url)
    await migrations.upgrade(database)

    async with database.read() as connection:
        assert await workers.living(connection) == []
    await database.close()
    assert {directory for directory, _, files in os.walk(tmp_path) if files} == {str(tmp_path / name)}


@pytest.mark.parametrize("name", ["", ":memory:", "file:x?mode=memory&uri=true"])
def test_sqlite_without_a_file_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL: SQLite needs a file"):
        Database(f"sqlite+aiosqlite:///{name}")


async def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("a letter, and no database at all\n" * 100)
    database = Database(f"sqlite+aiosqlite:///{path}")

    with pytest.raises(ConfigurationError, match="letter' cannot be used: file is not a database"):
        await database.check()


@pytest.mark.parametrize("wrong", [{"database": "nowhere"}, {"username": "nowhere"}])
async def test_refusal_of_the_server_is_a_configuration_error(postgres_url: str, wrong: dict[str, Any]) -> None:
    database = Database(make_url(postgres_url).set(**wrong).render_as_string(hide_password=False))

    with pytest.raises(ConfigurationError, match=r"the database refuses: .*nowhere"):
        await database.check()
    await database.close()


@pytest.mark.parametrize("url", ["mysql://user:hunter2@host/db", "not a url hunter2", "postgresql+hunter2"])
def test_error_for_a_wrong_url_hides_its_secret(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)
