"""Events and totals continue after a dump is restored into another server."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from testkit import servers
from testkit.databases import NOON, add_job
from testkit.servers import PostgresServer
from tests.storage.stored_events import counts, fold, read
from tests.storage.stored_runs import ME, put

from scheduler_service.cli import devstack_servers
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage import events, workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.rebase import rebase

SKIPPED = ("skipped", "shell_script")
# More than a new server has used up when a dump is in it.
TRANSACTIONS = 5_000


@pytest.fixture(scope="module")
def other_server() -> Iterator[PostgresServer]:
    with servers.postgres() as server:
        yield server


@pytest.fixture
async def source(migrated_postgres_url: str) -> AsyncIterator[tuple[Database, str, Job]]:
    """Yield a database whose server has counted many transactions, with a job and three events that are folded."""
    connection = await asyncpg.connect(migrated_postgres_url.replace("+asyncpg", ""))
    count = f"FOR i IN 1..{TRANSACTIONS} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP"
    await connection.execute(f"DO $$ BEGIN {count}; END $$")
    await connection.close()
    database = Database(migrated_postgres_url)
    async with database.write() as writer:
        await workers.register(writer, ME, host="h", pid=1, slots=4, now=NOON)
    job = await add_job(database)
    for _ in range(3):
        await put(database, job, RunStatus.SKIPPED)
    await read(database)
    await fold(database)
    yield database, migrated_postgres_url, job
    await database.close()


@pytest.fixture
async def restored(source: tuple[Database, str, Job], other_server: PostgresServer) -> AsyncIterator[Database]:
    """Yield the database after its dump was restored into another server."""
    database, url, job = source
    await put(database, job, RunStatus.SKIPPED)  # which nobody has folded
    with other_server.lent() as copy:
        transfer(url, copy)
        target = Database(copy)
        yield target
        await target.close()


def transfer(source: str, target: str) -> None:
    programs = devstack_servers.installed_postgres() / "bin"
    plain = [url.replace("+asyncpg", "") for url in (source, target)]
    dump = subprocess.run([programs / "pg_dump", "-Fc", plain[0]], capture_output=True, check=True)
    restore = [str(programs / "pg_restore"), "--no-owner", "--exit-on-error", "-d", plain[1]]
    subprocess.run(restore, input=dump.stdout, capture_output=True, check=True)


async def test_events_are_counted_and_followed_after_a_restore(
    source: tuple[Database, str, Job], restored: Database
) -> None:
    _, _, job = source
    async with restored.read() as connection:
        seen = await events.cursor(connection, events.TOTALS)
    await put(restored, job, RunStatus.SKIPPED)  # by a process that went on while the server was replaced

    assert await rebase(restored)
    assert not await rebase(restored)

    await put(restored, job, RunStatus.SKIPPED)
    assert (await counts(restored))[SKIPPED] == 6
    followed = await read(restored, seen)
    assert [event.change for event in followed] == ["skipped"] * 3
    assert await fold(restored)
    assert not await fold(restored)
    assert (await counts(restored))[SKIPPED] == 6
    positions = [event.position for event in await read(restored)]
    assert positions == sorted(positions)
    assert len({position.event_id for position in positions}) == 7


async def test_client_reads_on_from_a_position_that_the_dump_lacks(
    source: tuple[Database, str, Job], restored: Database
) -> None:
    database, _, job = source
    await put(database, job, RunStatus.SKIPPED)  # after the dump
    position = (await read(database))[-1].position

    await rebase(restored)
    await put(restored, job, RunStatus.SKIPPED)

    assert [event.change for event in await read(restored, position)] == ["skipped"]


async def test_fenced_write_is_an_event_after_a_restore(restored: Database) -> None:
    await rebase(restored)
    before = (await read(restored))[-1].position

    async with restored.write() as connection:
        await events.note_fenced(connection, Lease(1, 1, ME), 1, NOON)

    assert [event.change for event in await read(restored, before)] == ["fenced"]


async def test_rebase_does_nothing_on_the_same_server(source: tuple[Database, str, Job]) -> None:
    database, _, _ = source

    assert not await rebase(database)
