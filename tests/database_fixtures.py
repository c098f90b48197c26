"""Fixtures of migrated databases, on each kind that the service supports: one suite, every database."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, event
from testkit.databases import migrate
from testkit.doubles import FakeClock
from testkit.servers import PostgresServer

from scheduler_service.storage.database import Database

# For tests that do not depend on the kind of database: with their own database, and with a shared one.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SHARED_ON_SQLITE = pytest.mark.parametrize("shared_database_url", ["sqlite"], indirect=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file to copy, which is ten times as fast as a migration."""
    path = tmp_path_factory.mktemp("template") / "scheduler.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres_url"))
    path = tmp_path / "scheduler.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a migrated database that all tests of a module share; for a conftest to import."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.lent(request.getfixturevalue("migrated_template")) as url:
            yield url
        return
    path = tmp_path_factory.mktemp("database") / "scheduler.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    yield f"sqlite:///{path}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = redirected_to(database_url)
    yield database
    await database.close()


_kept: dict[str, Database] = {}


def redirected_to(url: str) -> Database:
    """Return the one `Database` of this kind that all tests share, with its next connections going to `url`.

    Its engines keep their compiled SQL, as in a service: compiling it again takes a test longer than executing it.
    They keep no data.
    """
    target = Database(url)
    kept = _kept.setdefault(url.partition(":")[0], target)
    if kept is target:
        for engine in {kept._writer.sync_engine, kept._reader.sync_engine}:
            event.listen(engine, "do_connect", partial(_lead, engine), insert=True)
    kept._writer.sync_engine.url, kept._reader.sync_engine.url = target._writer.url, target._reader.url
    return kept


def _lead(engine: Engine, dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    arguments[:], changed = dialect.create_connect_args(engine.url)
    options.update(changed)
