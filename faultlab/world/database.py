"""A database whose transactions wait for their turn, and fail as a connection to a server can."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from sqlalchemy.ext.asyncio import AsyncConnection

from faultlab.world.turns import wait_for_turn
from scheduler_service.errors import UnavailableError
from scheduler_service.storage.database import Database
from scheduler_service.storage.direct import DirectWriter

T = TypeVar("T")


@contextmanager
def without_threads() -> Iterator[None]:
    """Open connections to SQLite that execute in the thread of the event loop, which takes a third of the time."""
    with patch("aiosqlite.core.SimpleQueue", _CallAtOnce), patch("aiosqlite.core.Thread"):
        yield


class _CallAtOnce:
    """In place of the queue of a connection's thread."""

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = item
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 (the await of the future raises it)
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class Faults:
    """Chooses the transactions that fail."""

    def __init__(self) -> None:
        """Begin without failures, until `chooser` is set."""
        self.chooser: random.Random | None = None
        self.share = 0.0

    def may_fail(self) -> None:
        """Raise `UnavailableError` for a share of the calls."""
        if self.chooser is not None and self.chooser.random() < self.share:
            raise UnavailableError("the world has cut the connection")


class WorldDatabase(Database):
    """The database of a world, which all its processes share."""

    def __init__(self, url: str) -> None:
        """Configure the pools; see `Database`."""
        super().__init__(url)
        self.faults = Faults()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction at the turn of the actor. The answer of its commit can be lost."""
        await self._begin()
        async with super().write() as connection:
            yield connection
        self.faults.may_fail()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that only reads, at the turn of the actor."""
        await self._begin()
        async with super().read() as connection:
            yield connection

    @asynccontextmanager
    async def write_once(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for statements that commit by themselves, at the turn of the actor."""
        async with self.write() as connection:
            yield connection

    def direct(self, *, plans_once: bool = True) -> DirectWriter:
        """Return a writer whose transactions wait for their turn, too."""
        return _WorldWriter(super().direct(plans_once=plans_once), self)

    async def _begin(self) -> None:
        await wait_for_turn()
        self.faults.may_fail()


class _WorldWriter:
    def __init__(self, writer: DirectWriter, database: WorldDatabase) -> None:
        self._writer = writer
        self._database = database

    async def write(self, work: Callable[[Any], Coroutine[Any, Any, T]], *, outlives_host: bool = True) -> T:
        await wait_for_turn()
        self._database.faults.may_fail()
        result = await self._writer.transact(work, outlives_host=outlives_host)  # the world is on SQLite
        self._database.faults.may_fail()
        return result

    transact = write

    async def close(self) -> None:
        await self._writer.close()
