"""Logs of runs: bytes in order, readable from any position."""

from __future__ import annotations

import pytest
from testkit.databases import NOON, add_running

from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.storage import logs, runs
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.tables import runs as run_table


@pytest.fixture
async def run(database: Database) -> Run:
    return await add_running(database)


async def write(database: Database, run: Run, *pieces: bytes) -> None:
    at_byte = 0
    for piece in pieces:
        async with database.write() as connection:
            assert await logs.append(connection, Lease(run.id, 1, "w"), piece, at_byte)
        at_byte += len(piece)


@pytest.mark.parametrize(("offset", "rest"), [(0, b"one two"), (2, b"e two"), (3, b" two"), (7, b""), (99, b"")])
async def test_log_is_read_from_any_position(database: Database, run: Run, offset: int, rest: bytes) -> None:
    await write(database, run, b"one", b" ", b"two")
    async with database.read() as connection:
        assert await logs.read(connection, run.id, offset) == rest


@pytest.mark.parametrize(
    ("size", "read"), [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (5, "aé"), (6, "aé€"), (9, "aé€"), (10, "aé€😀")]
)
async def test_bounded_read_splits_no_character(database: Database, run: Run, size: int, read: str) -> None:
    await write(database, run, "aé".encode(), "€😀".encode())
    async with database.read() as connection:
        assert (await logs.read(connection, run.id, 0, size)).decode() == read


async def test_piece_is_added_once_when_the_answer_was_lost(database: Database, run: Run) -> None:
    await write(database, run, b"one")
    lease = Lease(run.id, 1, "w")
    async with database.write() as connection:
        assert await logs.append(connection, lease, b"two", 3)
    async with database.write() as connection:
        assert await logs.append(connection, lease, b"two", 3)
        assert not await logs.append(connection, lease, b"three", 3)
        assert await logs.read(connection, run.id) == b"onetwo"


async def test_nul_and_every_other_byte_survive(database: Database, run: Run) -> None:
    everything = bytes(range(256))
    await write(database, run, everything)
    async with database.read() as connection:
        assert await logs.read(connection, run.id) == everything


async def test_tails_are_the_last_bytes_of_several_runs(database: Database, run: Run) -> None:
    async with database.write() as connection:
        silent = await runs.add(
            connection,
            runs.queued_row(
                job_id=run.job_id,
                owner_id="",
                trigger=Trigger.MANUAL,
                scheduled_for=NOON,
                priority=5,
                correlation_id="c",
                now=NOON,
            ),
        )
    await write(database, run, b"12345", b"678", b"9")
    async with database.read() as connection:
        found = await runs.find(connection, run.id)
        assert found is not None
        assert await logs.tails(connection, [found, silent], 5) == {run.id: b"56789"}


async def test_log_is_pruned_with_its_run(database: Database, run: Run) -> None:
    await write(database, run, b"text")
    async with database.write() as connection:
        await connection.execute(run_table.update().values(status=RunStatus.SUCCESS, exit_code=0, finished_at=NOON))
        assert await runs.prune(connection, NOON, 10) == 0
        assert await runs.prune(connection, NOON.replace(hour=13), 10) == 1
        assert await logs.read(connection, run.id) == b""
