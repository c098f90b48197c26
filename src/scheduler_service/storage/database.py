"""Connections and transactions on PostgreSQL and SQLite.

Theory of operation. PostgreSQL has one pool. A connection that the server has closed is replaced when it leaves the
pool: the driver has seen the end of its stream by then, so no query has to test it. A query outside `write` and
`snapshot` is a transaction of its own there, without BEGIN and ROLLBACK. SQLite has one connection that writes, in one
process, guarded by the file lock of the data directory. With several writing processes, a checkpoint could corrupt the
write-ahead log before SQLite 3.51.3. SQLite readers use separate connections that cannot write.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, cast
from urllib.parse import quote

from pydantic_core import from_json
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import PoolResetState

from scheduler_service.addresses import check_database_url, connect_arguments, read_by_sqlalchemy
from scheduler_service.errors import ConfigurationError
from scheduler_service.storage.availability import first_line, reachable
from scheduler_service.storage.direct import DirectWriter, PostgresWriter, SqliteWriter
from scheduler_service.storage.sqlite_driver import Driver, SqliteConnection

POOL_TIMEOUT_SECONDS = 30
# A session that is idle in a transaction for this long is ended by the server, which frees its locks. A session that
# waits for a lock waits slightly longer, and so gets it.
IDLE_IN_TRANSACTION_SECONDS = 5
LOCK_SECONDS = 8
_POSTGRES_SETTINGS = {
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
}


def _read_json(text: str | bytes) -> Any:
    """Return the value of a stored document, parsed three times as fast as by the standard library."""
    try:
        return from_json(text)
    except ValueError:  # a lone surrogate, which a result can contain
        return json.loads(text)


# Parameters contain payloads, so they must not appear in errors and logs.
_COMMON: dict[str, Any] = {
    "pool_timeout": POOL_TIMEOUT_SECONDS,
    "hide_parameters": True,
    "json_deserializer": _read_json,
}
SQLITE_READERS = 4


class Database:
    """One database. All access goes through `read`, `write` and `snapshot`."""

    def __init__(self, url: str) -> None:
        """Configure the pools without connecting. Raise `ConfigurationError` for an unusable URL."""
        parsed = parse_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = _sqlite_engine(parsed, pool_size=1, writes=True)
            self._reader = _sqlite_engine(parsed, pool_size=SQLITE_READERS, writes=False)
        else:
            query = dict(parsed.query)
            self._writer = create_async_engine(
                parsed.set(query=read_by_sqlalchemy(query)),
                connect_args={"server_settings": _POSTGRES_SETTINGS, **connect_arguments(query)},
                pool_size=10,
                max_overflow=10,
                **_COMMON,
            )
            event.listen(self._writer.sync_engine, "checkout", _replace_if_closed)
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")  # the same pool
        self._direct: list[DirectWriter] = []

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits at the end of the block, or rolls back on an exception.

        Raise `UnavailableError` if the database cannot be reached.
        """
        with reachable():
            async with self._writer.begin() as connection:
                yield connection

    def direct(self, *, plans_once: bool = True) -> DirectWriter:
        """Return a new writer that executes the statements of every run without the layers above the driver.

        `plans_once` False is for statements whose best plan on PostgreSQL depends on their parameters.
        """
        writer = SqliteWriter(self._writer) if self.is_sqlite else PostgresWriter(self._reader, plans_once=plans_once)
        self._direct.append(writer)
        return writer

    @asynccontextmanager
    async def write_once(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for independent statements, each of which commits by itself; raise as `write` does.

        On PostgreSQL it saves BEGIN and COMMIT. On SQLite it is the same as `write`.
        """
        opened = self._writer.begin() if self.is_sqlite else self._reader.connect()
        with reachable():
            async with opened as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that only reads. Raise `UnavailableError` if the database cannot be reached.

        On PostgreSQL, each query sees what is committed when it begins; `snapshot` makes them agree.
        """
        with reachable():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Open a read transaction in which all queries see the same state; raise as `read` does."""
        async with self.read() as connection:
            if not self.is_sqlite:  # on SQLite, every transaction is a snapshot
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    async def check(self) -> None:
        """Check at the start that the database is usable.

        Raise `ConfigurationError` if it does not exist or refuses access, `UnavailableError` if no server responds. The
        caller adds the name of the setting.
        """
        try:
            if self.is_sqlite:
                _check_file(str(self._writer.url.database))
            else:
                async with self.read():
                    pass
        except DBAPIError as error:
            raise ConfigurationError(f"the database refuses: {first_line(error)}") from error

    async def close(self) -> None:
        """Close every connection. The writer is closed last, when SQLite merges its log into the file."""
        for writer in self._direct:
            await writer.close()
        await self._reader.dispose()
        await self._writer.dispose()


def parse_url(url: str) -> URL:
    """Return the parsed database URL. Raise `ConfigurationError` without the URL, which can contain a password."""
    try:
        check_database_url(url)
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError("DATABASE_URL: this is not a database URL; write postgresql+asyncpg://…") from None
    except ValueError as error:
        raise ConfigurationError(f"DATABASE_URL: {error}") from None
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and not _names_a_file(parsed):
        raise ConfigurationError("DATABASE_URL: SQLite needs a file; write sqlite+aiosqlite:///data/scheduler.db")
    return parsed.set(drivername="sqlite+aiosqlite" if is_sqlite else "postgresql+asyncpg")


def _names_a_file(url: URL) -> bool:
    return bool(url.database) and url.database != ":memory:" and "uri" not in url.query


def _check_file(path: str) -> None:
    _make_private(path)
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # reads the file and writes beside it
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path!r} cannot be used: {error}; repair it or name another database") from error


def _make_private(path: str) -> None:
    """Create the file with mode 0600 if it does not exist, because it contains secrets.

    SQLite copies the mode to its logs.
    """
    with suppress(OSError):  # SQLite reports the reason when it opens the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _replace_if_closed(connection: Any, _record: object, _proxy: object) -> None:
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError  # the pool opens another, and tests the rest in the same way


def _sqlite_engine(url: URL, *, pool_size: int, writes: bool) -> AsyncEngine:
    if not writes:
        url = url.set(database=f"file:{quote(str(url.database))}", query={"mode": "ro", "uri": "true"})
    engine = create_async_engine(
        url, module=Driver(), pool_size=pool_size, max_overflow=0, pool_reset_on_return=None, **_COMMON
    )
    if writes:
        event.listen(engine.sync_engine, "do_connect", lambda _dialect, _record, args, _options: _make_private(args[0]))
    event.listen(engine.sync_engine, "connect", _prepare_writer if writes else _prepare_reader)
    event.listen(engine.sync_engine, "begin", _begin_immediate if writes else _begin)
    event.listen(engine.sync_engine, "reset", _roll_back)
    return engine


def _prepare_writer(connection: Any, _record: object) -> None:
    # SQLite's own lower() handles only ASCII, so searches would find less than on PostgreSQL. Triggers call it.
    connection.create_function("lower", 1, _lower, deterministic=True)
    # The driver would open transactions as DEFERRED. In such a transaction, a read followed by a write can lose updates
    # or fail half-way.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        _execute(connection, f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("query_only=ON", "busy_timeout=30000"):
        _execute(connection, f"PRAGMA {pragma}")


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()


def _roll_back(connection: SqliteConnection, _record: object, state: PoolResetState) -> None:
    if not state.terminate_only:
        connection.reset()


def _begin_immediate(connection: Connection) -> None:
    """Begin with one hand-over to the driver's thread.

    Raise the driver's `sqlite3.Error`, which SQLAlchemy does not translate here.
    """
    try:
        connection.connection.run_async(lambda driver: driver.execute("BEGIN IMMEDIATE"))
    except ValueError as error:  # the driver raises ValueError for a closed connection
        connection.invalidate(error)
        raise sqlite3.OperationalError(str(error)) from error


def _begin(connection: Connection) -> None:
    driver = cast("SqliteConnection", connection.connection.dbapi_connection)
    driver.begin_reading()
