"""Executes each statement on SQLite by one hand-over to the thread of its connection.

Theory of operation. SQLAlchemy's adapter of aiosqlite hands over to that thread four times for a statement: it creates
a cursor, executes, fetches the rows and closes the cursor. A hand-over takes longer than a short statement, so that one
does all of it here. A transaction that reads begins in the hand-over of its first statement. Nobody waits for its end:
the thread ends it before the next statement.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_cursor
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_dbapi

T = TypeVar("T")


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """What SQLAlchemy uses as the module of the driver."""

    def __init__(self) -> None:
        """Take the modules that SQLAlchemy would take."""
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arguments: Any, **options: Any) -> SqliteConnection:
        """Open a connection."""
        opened: Any = super().connect(*arguments, **options)
        return SqliteConnection(self, opened._connection)


class SqliteConnection(AsyncAdapt_aiosqlite_connection):
    """A connection whose cursors need one hand-over for a statement."""

    _only_reads = False
    # Of a connection that only reads: whether the next statement begins a transaction, and whether one is to be ended.
    _begins = _is_open = False

    def begin_reading(self) -> None:
        """Begin a transaction with the next statement. This connection only reads."""
        self._only_reads = self._begins = True

    def rollback(self) -> None:
        """Roll back. The end of a transaction that only reads is not waited for."""
        if not self._only_reads:
            super().rollback()
        elif self._is_open and self._driver._running:
            self._driver._tx.put_nowait((None, self._driver._conn.rollback))
        self._begins = self._is_open = False

    def reset(self) -> None:
        """Roll back what the last user of the connection left open."""
        if self._only_reads or self._driver.in_transaction:
            self.rollback()

    async def hand_over(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `work`, which is called in the thread of the connection."""
        begins, self._begins = self._begins, False
        self._is_open = self._is_open or begins

        def begin_and_work() -> T:
            if begins:
                self._driver._conn.execute("BEGIN")
            return work(self._driver._conn)

        try:
            result: T = await self._driver._execute(begin_and_work)
        except ValueError as error:
            if self._driver._connection is not None:
                raise
            # SQLAlchemy knows from this text that it has to open another connection.
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.") from error
        return result

    @property
    def _driver(self) -> Any:
        return self._connection


class _Executed:
    """What remains of a cursor after its statement."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def close(self) -> None:
        """Do nothing: the cursor is closed."""


class _Cursor(AsyncAdapt_dbapi_cursor):
    _adapt_connection: SqliteConnection
    _awaitable_cursor_close = False

    def _make_new_cursor(self, _connection: object) -> Any:
        return _Executed()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._hand_over(lambda connection: connection.execute(operation, parameters or ()))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._hand_over(lambda connection: connection.executemany(operation, seq_of_parameters))

    async def _hand_over(self, execute: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> None:
        executed: Any = self._cursor

        def run(connection: sqlite3.Connection) -> list[Any]:
            cursor = execute(connection)
            executed.description = cursor.description
            rows = cursor.fetchall() if cursor.description else []
            executed.rowcount, executed.lastrowid = cursor.rowcount, cursor.lastrowid
            cursor.close()
            return rows

        async with self._adapt_connection._execute_mutex:
            self._rows = deque(await self._adapt_connection.hand_over(run))


setattr(SqliteConnection, "_cursor_cls", _Cursor)  # noqa: B010 (mypy refuses to assign to a class of the base)
