"""Writes by the driver itself, for the few statements that every run needs.

Theory of operation. SQLAlchemy's execution of a statement takes longer than the statement. On SQLite, each step of it
is also a hand-over between two threads. A direct writer compiles a statement once and gives it to the driver. Functions
of `storage` do not notice: a direct connection executes their statements as an `AsyncConnection` does.

On PostgreSQL, each writer holds one connection of the pool, which plans each statement once, and each statement is a
transaction of its own. On SQLite,
the writers share the one connection that writes. A whole transaction is one hand-over to the thread of that connection:
the function runs there, and its `await` never waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from sqlalchemy import Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from scheduler_service.storage.availability import reachable
from scheduler_service.storage.prepared import DirectResult, PreparedStatements

# By default PostgreSQL plans each claim again, because it estimates that a plan for any parameters is slower. It
# is the same plan, and planning takes longer than execution.
_PLAN_ONCE = "SET plan_cache_mode = force_generic_plan"

T = TypeVar("T")
Parameters = Mapping[str, Any]


class AnyConnection(Protocol):
    """What a function needs of a connection to work on a direct one and on SQLAlchemy's."""

    @property
    def dialect(self) -> Dialect:
        """Return the dialect of the database."""
        ...

    async def execute(self, statement: Executable, parameters: Any = None) -> Any:
        """Execute a statement that is built once; see `AsyncConnection.execute`. Lists in IN are not possible."""
        ...


class DirectWriter(Protocol):
    """Writes without the layers above the driver."""

    async def write(self, work: Callable[[Any], Coroutine[Any, Any, T]], *, outlives_host: bool = True) -> T:
        """Call `work` with a direct connection and commit. Raise `UnavailableError` if the database is unavailable.

        On PostgreSQL, each statement of `work` commits by itself. If `outlives_host` is False, a power failure may undo
        the transaction on SQLite. The commit then does not wait for the disk.
        """
        ...

    async def transact(self, work: Callable[[Any], Coroutine[Any, Any, T]], *, outlives_host: bool = True) -> T:
        """Do the same in one transaction on PostgreSQL too."""
        ...

    async def close(self) -> None:
        """Release the connection."""
        ...


class PostgresWriter:
    """Writes on one connection, a statement at a time."""

    def __init__(self, engine: AsyncEngine, *, plans_once: bool = True) -> None:
        """Take a connection of `engine`, which commits each statement, at the first write."""
        self._engine = engine
        self._plans_once = plans_once
        self._statements = PreparedStatements(engine.dialect)
        self._turn = asyncio.Lock()
        self._held: AsyncConnection | None = None
        self._driver: Any = None

    async def write(self, work: Callable[[Any], Coroutine[Any, Any, T]], *, outlives_host: bool = True) -> T:  # noqa: ARG002 (the server decides)
        """Call `work`; see `DirectWriter.write`."""
        async with self._opened() as connection:
            return await work(connection)

    async def transact(self, work: Callable[[Any], Coroutine[Any, Any, T]], *, outlives_host: bool = True) -> T:  # noqa: ARG002 (the server decides)
        """Call `work`; see `DirectWriter.transact`."""
        async with self._opened() as connection, connection.driver.transaction():
            return await work(connection)

    async def close(self) -> None:
        """Close the connection. It does not return to the pool, because its plans are not those of other queries."""
        held, self._held, self._driver = self._held, None, None
        if held is not None:
            await held.invalidate()
            await held.close()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[_PostgresConnection]:
        with reachable():
            async with self._turn:
                if self._driver is None or self._driver.is_closed():
                    await self._open()
                yield _PostgresConnection(self._driver, self._engine.dialect, self._statements)

    async def _open(self) -> None:
        await self.close()
        self._held = await self._engine.connect()
        driver: Any = (await self._held.get_raw_connection()).driver_connection
        if self._plans_once:
            await driver.execute(_PLAN_ONCE)
        self._driver = driver


class SqliteWriter:
    """Writes a transaction at a time in the thread of the connection that writes."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Take the connection of `engine` for each write."""
        self._engine = engine
        self._statements = PreparedStatements(engine.dialect)

    async def write(self, work: Callable[[Any], Coroutine[Any, Any, T]], *, outlives_host: bool = True) -> T:
        """Call `work` in the thread of the connection; see `DirectWriter.write`."""
        with reachable():
            async with self._engine.connect() as held:
                driver: Any = (await held.get_raw_connection()).driver_connection
                try:
                    opened = driver._conn  # noqa: SLF001 (the connection of the standard library)
                except ValueError as error:  # it is closed
                    await held.invalidate()
                    raise sqlite3.OperationalError(str(error)) from error
                connection = _SqliteConnection(opened, self._engine.dialect, self._statements)
                # The driver has no public call for a function in its thread.
                hand_over: Callable[[Callable[[], T]], Awaitable[T]] = driver._execute  # noqa: SLF001
                context = copy_context()  # has the correlation id, which the audit trail stores
                return await hand_over(lambda: context.run(_transact, connection, work, waits_for_disk=outlives_host))

    transact = write

    async def close(self) -> None:
        """Do nothing: no connection is held between writes."""


class _PostgresConnection:
    def __init__(self, driver: Any, dialect: Dialect, statements: PreparedStatements) -> None:
        self.driver = driver
        self.dialect = dialect
        self._statements = statements

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> DirectResult:
        prepared = self._statements.find(statement, parameters or {})
        rows = await self.driver.fetch(prepared.text, *prepared.arguments(parameters or {}))
        return prepared.result(rows, len(rows))


class _SqliteConnection:
    def __init__(self, driver: sqlite3.Connection, dialect: Dialect, statements: PreparedStatements) -> None:
        self.driver = driver
        self.dialect = dialect
        self._statements = statements

    async def execute(
        self, statement: Executable, parameters: Parameters | Sequence[Parameters] | None = None
    ) -> DirectResult:
        if isinstance(parameters, Sequence):
            prepared = self._statements.find(statement, parameters[0])
            cursor = self.driver.executemany(prepared.text, [prepared.arguments(each) for each in parameters])
        else:
            prepared = self._statements.find(statement, parameters or {})
            cursor = self.driver.execute(prepared.text, prepared.arguments(parameters or {}))
        rows = cursor.fetchall() if prepared.returns_rows else []
        return prepared.result(rows, cursor.rowcount)


def _transact(
    connection: _SqliteConnection, work: Callable[[Any], Coroutine[Any, Any, T]], *, waits_for_disk: bool
) -> T:
    driver = connection.driver
    if not waits_for_disk:
        driver.execute("PRAGMA synchronous=NORMAL")
    try:
        driver.execute("BEGIN IMMEDIATE")
        result = _without_waiting(work(connection))
        driver.execute("COMMIT")
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        if not waits_for_disk:
            driver.execute("PRAGMA synchronous=FULL")
    return result


def _without_waiting(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine in which no `await` waits."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("a direct transaction on SQLite waits for something")
