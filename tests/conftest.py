"""Servers and fixtures that every test may use."""

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

POSTGRES = "SCHEDULER_TEST_POSTGRES_URL"
VALKEY = "SCHEDULER_TEST_VALKEY_URL"
_started = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """With xdist the controller starts the servers, for its workers to share; else the first test that needs one does.

    The workers are told the addresses by the environment, which they inherit.
    """
    os.environ.update(PACKAGE_PATH)
    # Whoever is started in the background without job control is deaf to it, and so would be all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A test leaves little behind; to look through it so often takes a twentieth of the time.
    gc.set_threshold(20_000, 20, 20)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        _postgres()
        _valkey()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Import the tests as services import what they are: in half the time."""
    with without_gc():
        return (yield)


def pytest_xdist_auto_num_workers() -> int:
    """Take one process more than there are processors: much of what tests do is waiting."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, and much of it by waiting: in the end nobody is to wait for one test alone.

    Each process is first given a part of this order, so those that start many processes do not all do so at once.
    """
    items.sort(key=_place_in_order)


def _place_in_order(item: pytest.Item) -> tuple[bool, int]:
    rooms = [number for number, room in enumerate(("e2e", "sandbox")) if room in item.path.parts]
    return item.get_closest_marker("long") is None, rooms[0] if rooms else 2


def pytest_unconfigure() -> None:
    """Stop what was started here."""
    _started.close()


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """A real PostgreSQL, shared by all tests."""
    return _postgres()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, this test's own."""
    with postgres_server.lent() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The URL of a migrated database that others are cloned from; nobody may connect to it."""
    url = postgres_server.create_database()
    asyncio.run(migrate(url))
    return url


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database, this test's own."""
    with postgres_server.lent(migrated_template) as url:
        yield url


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority, shared by all tests."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def redis_url(worker_id: str) -> str:
    """The URL of an empty database of a real Valkey, this test's own until the test ends."""
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
