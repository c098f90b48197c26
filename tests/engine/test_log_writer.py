"""The way of output to the log: complete, in whole characters, and only while the lease is held."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update
from testkit.databases import add_running
from testkit.waiting import eventually

from scheduler_service.engine.log_writer import FLUSH_BYTES, LeaseLostError, LogWriter
from scheduler_service.engine.worker_session import AttemptHandle
from scheduler_service.storage import logs
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.tables import runs as run_table


@pytest.fixture
async def handle(database: Database) -> AttemptHandle:
    run = await add_running(database)
    return AttemptHandle(Lease(run.id, 1, "w"))


async def log_of(database: Database, handle: AttemptHandle) -> bytes:
    """Return what is stored, and what the settlement would store."""
    async with database.read() as connection:
        stored = await logs.read(connection, handle.lease.run_id)
    assert not handle.rest.data or handle.rest.at_byte == len(stored)
    return stored + handle.rest.data


async def test_output_that_arrives_during_a_write_is_written_too(database: Database, handle: AttemptHandle) -> None:
    async def is_writing() -> bool:
        return output._writing.locked()

    output = LogWriter(database, handle)
    async with database.write() as connection:
        await connection.execute(update(run_table).values(message="this row is locked"))
        await output.__aenter__()
        await output.take(b"first ")
        await eventually(is_writing)
        await output.take(b"second")
        closing = asyncio.create_task(output.__aexit__(None, None, None))
        await asyncio.sleep(0)
    await closing
    assert await log_of(database, handle) == b"first second"


async def test_character_in_two_pieces_stays_whole(database: Database, handle: AttemptHandle) -> None:
    euro = "€".encode()
    async with LogWriter(database, handle) as output:
        await output.take(euro[:1])
        await output.take(euro[1:])
    assert await log_of(database, handle) == euro


async def test_invalid_utf8_is_replaced(database: Database, handle: AttemptHandle) -> None:
    async with LogWriter(database, handle) as output:
        await output.take(b"a\xffb\xe2\x82")
    assert (await log_of(database, handle)).decode() == "a\ufffdb\ufffd"


async def test_lost_lease_ends_the_attempt_and_drops_its_output(database: Database, handle: AttemptHandle) -> None:
    async with database.write() as connection:
        await connection.execute(update(run_table).values(worker_id="somebody-else"))
    output = LogWriter(database, handle)
    await output.__aenter__()
    await output.take(b"late")
    await asyncio.wait_for(handle.wait(), 10)
    with pytest.raises(LeaseLostError):
        await output.__aexit__(None, None, None)
    assert handle.is_interrupted
    assert await log_of(database, handle) == b""


async def test_tail_is_the_last_megabyte_of_the_output(database: Database, handle: AttemptHandle) -> None:
    async with LogWriter(database, handle) as output:
        await output.take(b"x" * 2_000_000 + b"the end")
    assert output.tail.endswith("the end")
    assert len(output.tail) == 1024 * 1024


async def test_short_output_is_left_to_the_settlement(database: Database, handle: AttemptHandle) -> None:
    async with LogWriter(database, handle, at_byte=7) as output:
        await output.take(b"the end")
    assert handle.rest == LogPiece(7, b"the end")


async def test_long_output_is_written_before_the_settlement(database: Database, handle: AttemptHandle) -> None:
    async with LogWriter(database, handle) as output:
        await output.take(b"x" * FLUSH_BYTES)
        await output.take(b"the end")
    assert handle.rest == LogPiece(FLUSH_BYTES, b"the end")


async def test_rest_is_written_at_once_when_the_settlement_comes_later(
    database: Database, handle: AttemptHandle
) -> None:
    async with LogWriter(database, handle) as output:
        await output.take(b"the end")
    await output.write_rest()
    assert handle.rest == LogPiece()
    assert await log_of(database, handle) == b"the end"
