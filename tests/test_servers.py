"""The servers of the test kit."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import asyncpg
import pytest
from testkit import servers
from testkit.servers import PostgresServer
from testkit.waiting import wait_until

from scheduler_service.cli.devstack_servers import ask_valkey
from scheduler_service.errors import ConfigurationError

ROOT = Path(__file__).parents[1]


async def test_postgres_is_the_deployed_version(postgres_url: str) -> None:
    assert (await _fetch(postgres_url, "SHOW server_version")).startswith("18.")


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_has_its_own_database(postgres_url: str, round_: int) -> None:
    await _fetch(postgres_url, "CREATE TABLE only_once ()")


async def test_database_is_cloned_with_its_content(postgres_server: PostgresServer, postgres_url: str) -> None:
    await _fetch(postgres_url, "CREATE TABLE thing AS SELECT 42 AS number")
    clone = postgres_server.create_database(postgres_url)
    try:
        assert await _fetch(clone, "SELECT number FROM thing") == 42
    finally:
        postgres_server.drop_database(clone)


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_has_an_empty_redis_database(redis_url: str, round_: int) -> None:
    assert ask_valkey(redis_url, "DBSIZE", "SET key value", "DBSIZE") == [":0", "+OK", ":1"]


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_server_dies_with_the_process_that_started_it(name: str) -> None:
    _wait_until_refused(_start_and_kill(name)[1])


def test_directory_of_a_killed_process_is_removed_at_next_start() -> None:
    pid, port = _start_and_kill("valkey")
    _wait_until_refused(port)
    with servers.valkey():
        assert not list(servers.directory_of_all().glob(f"{servers.PREFIX}{pid}-*"))


def test_failed_start_of_a_server_shows_its_log() -> None:
    with pytest.raises(ConfigurationError, match="no_such_setting"), servers.postgres(("no_such_setting=1",)):
        pass


def _start_and_kill(name: str) -> tuple[int, int]:
    """Start a server in a process of its own and kill that; returns the process's id and the server's port."""
    program = f"from testkit import servers\nwith servers.{name}() as server:\n  print(server, flush=True)\n  input()"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as starter:
        assert starter.stdout is not None
        address = re.search(r"127\.0\.0\.1:(\d+)", starter.stdout.readline())
        starter.kill()
    assert address is not None
    return starter.pid, int(address[1])


def _wait_until_refused(port: int) -> None:
    def is_refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(is_refused)


async def _fetch(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
