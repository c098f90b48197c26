"""Servers and fixtures for every test."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack

import pytest
from testkit import servers
from testkit.databases import migrate
from testkit.programs import PACKAGE_PATH
from testkit.servers import PostgresServer
from testkit.tls import Authority
from tests.database_fixtures import clock, database, database_url, migrated_sqlite

from scheduler_service.cli.devstack_servers import ask_valkey
from scheduler_service.startup import without_gc

__all__ = ["clock", "database", "database_url", "migrated_sqlite"]

POSTGRES = "TEST_POSTGRES_URL"
VALKEY = "TEST_VALKEY_URL"
_started = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the controller of xdist, for its workers to share; without xdist, tests start them.

    The workers inherit the addresses in the environment.
    """
    os.environ.update(PACKAGE_PATH)
    # A background process without job control ignores SIGINT, and so would every program that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Tests leave little garbage; collecting it as often as usual takes a twentieth of the time.
    gc.set_threshold(20_000, 20, 20)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        _postgres()
        _valkey()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Import the tests without garbage collection, in half the time."""
    with without_gc():
        return (yield)


def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are processors, because tests wait much of the time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort long tests, which mostly wait, to the front, so that no single test remains at the end.

    Each process starts with its own part of this order, so tests with many processes do not all start at once.
    """
    items.sort(key=_place_in_order)


def _place_in_order(item: pytest.Item) -> tuple[bool, int]:
    rooms = [number for number, room in enumerate(("e2e", "sandbox")) if room in item.path.parts]
    return item.get_closest_marker("long") is None, rooms[0] if rooms else 2


def pytest_unconfigure() -> None:
    """Stop the servers."""
    _started.close()


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """Return a real PostgreSQL, shared by all tests."""
    return _postgres()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Yield the URL of an empty PostgreSQL database for this test."""
    with postgres_server.lent() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """Return the URL of a migrated database to clone. No test may connect to it."""
    url = postgres_server.create_database()
    asyncio.run(migrate(url))
    return url


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """Yield the URL of a migrated, empty PostgreSQL database for this test."""
    with postgres_server.lent(migrated_template) as url:
        yield url


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority, shared by all tests."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def redis_url(worker_id: str) -> str:
    """Return the URL of an empty Valkey database for this test."""
    url = f"{_valkey()}/{worker_id.removeprefix('gw').replace('master', '0')}"
    ask_valkey(url, "FLUSHDB")
    return url


def _postgres() -> PostgresServer:
    if POSTGRES not in os.environ:
        os.environ[POSTGRES] = _started.enter_context(servers.postgres()).url
        _started.callback(os.environ.pop, POSTGRES)
    return PostgresServer(os.environ[POSTGRES])


def _valkey() -> str:
    if VALKEY not in os.environ:
        os.environ[VALKEY] = _started.enter_context(servers.valkey())
        _started.callback(os.environ.pop, VALKEY)
    return os.environ[VALKEY]
