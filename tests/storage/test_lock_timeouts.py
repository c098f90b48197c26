"""A process that stops in a transaction: the server ends its session, and releases its locks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text
from testkit.databases import add_job
from testkit.waiting import eventually, wait_until

from scheduler_service.errors import UnavailableError
from scheduler_service.storage import database as database_module
from scheduler_service.storage import jobs, migrations
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs as job_table

STANDING = """
import asyncio, os, signal, sys
from scheduler_service.storage import jobs
from scheduler_service.storage.database import Database

async def stand():
    async with Database(sys.argv[1]).write() as connection:
        await jobs.find(connection, int(sys.argv[2]), lock=True)
        print("locked", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

asyncio.run(stand())
"""


WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND now() - waitstart > '100ms'
"""


async def test_lock_of_a_stopped_process_is_released(migrated_postgres_url: str) -> None:
    database = Database(migrated_postgres_url)
    job = await add_job(database)
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STANDING, migrated_postgres_url, str(job.id), stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"locked\n"
    wait_until(lambda: " T " in Path(f"/proc/{holder.pid}/stat").read_text())

    async with database.write() as connection:
        assert await jobs.find(connection, job.id, lock=True)

    holder.kill()
    await holder.wait()
    await database.close()


async def test_lock_wait_ends_with_an_error_after_the_timeout(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_module._POSTGRES_SETTINGS, "lock_timeout", "50ms")
    database = Database(migrated_postgres_url)
    await add_job(database)
    locked = select(job_table.c.id).with_for_update()
    async with database.write() as holder:
        await holder.execute(locked)
        with pytest.raises(UnavailableError):
            async with database.write() as connection:
                await connection.execute(locked)
    await database.close()


async def test_migration_waits_for_another_without_a_timeout(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_module._POSTGRES_SETTINGS, "lock_timeout", "50ms")
    database = Database(postgres_url)

    async def is_waiting() -> bool:
        async with database.read() as connection:
            return bool((await connection.execute(text(WAITING))).scalar_one())

    async with database.write() as other:
        await other.execute(text(f"SELECT pg_advisory_xact_lock({migrations.ADVISORY_LOCK})"))
        migration = asyncio.create_task(migrations.upgrade(database))
        await eventually(is_waiting)
    assert (await migration).after == migrations.HEAD
    await database.close()
