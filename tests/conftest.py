"""Servers and fixtures that every test may use."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest
from tests import servers
from tests.databases import clock, database, database_url, migrate, migrated_sqlite

__all__ = ["clock", "database", "database_url", "migrated_sqlite"]

POSTGRES = "SCHEDULER_TEST_POSTGRES_URL"
_started = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """With xdist the controller starts the server, for its workers to share; else the first test that needs it does."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        _start_postgres()


def pytest_unconfigure() -> None:
    """Stop what was started here."""
    _started.close()


def _start_postgres() -> str:
    if POSTGRES not in os.environ:
        directory = Path(_started.enter_context(tempfile.TemporaryDirectory(prefix="scheduler-test-")))
        directory.chmod(0o755)
        _started.callback(os.environ.pop, POSTGRES, None)
        os.environ[POSTGRES] = _started.enter_context(servers.postgres(directory))
    return os.environ[POSTGRES]


@pytest.fixture(scope="session")
def migrated_template(worker_id: str) -> str:
    """The name of a migrated database that others are cloned from."""
    name = f"template_{worker_id}"
    _on_server(f"CREATE DATABASE {name}")
    asyncio.run(migrate(f"{_start_postgres()}/{name}"))
    return name


@pytest.fixture
def migrated_postgres_url(migrated_template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database."""
    name = f"test_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    _on_server(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield f"{_start_postgres()}/{name}"
    _on_server(f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(statement: str) -> None:
    async def execute() -> None:
        url = _start_postgres().replace("+asyncpg", "") + "/postgres"
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())
