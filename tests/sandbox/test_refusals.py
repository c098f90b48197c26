"""What a run was refused first, as the outcome of a failed run names it, at every level that confines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from tests.sandbox.levels import sandbox

from scheduler_service.sandbox import NOTHING, Access, Destination, Level, PythonCode, Spec, ZygoteSandbox

__all__ = ["sandbox"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
CONNECT = "import socket; socket.create_connection(({host!r}, {port}), 5)"


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def refused(sandbox: ZygoteSandbox, code: str, access: Access = NOTHING) -> str | None:
    async def drop(_: bytes) -> None:
        pass

    outcome = await sandbox.run(Spec(PythonCode(code), access=access), drop, asyncio.Event())
    return outcome.refused


async def test_first_refused_address_is_named(sandbox: ZygoteSandbox, port: int) -> None:
    code = CONNECT.format(host="127.0.0.1", port=port)
    other = Access(destinations=(Destination("127.0.0.1/32", 1, 1),))
    assert await refused(sandbox, code, other) == f"127.0.0.1:{port}"


async def test_run_without_network_names_what_it_did_not_reach(sandbox: ZygoteSandbox) -> None:
    found = await refused(sandbox, CONNECT.format(host="192.0.2.7", port=5432))
    # At `standard` there is no network in which the job could have a socket, so the address is not known.
    assert found == ("192.0.2.7:5432" if sandbox.isolation.level is Level.STRICT else "the network")


async def test_refused_socket_file_is_named(sandbox: ZygoteSandbox) -> None:
    code = "import socket; socket.socket(socket.AF_UNIX).connect('/run/postgresql/.s.PGSQL.5432')"
    assert await refused(sandbox, code) == "/run/postgresql/.s.PGSQL.5432"


async def test_nothing_is_named_if_nothing_was_refused(sandbox: ZygoteSandbox, port: int) -> None:
    granted = Access(destinations=(Destination("127.0.0.1/32", port, port),))
    assert await refused(sandbox, CONNECT.format(host="127.0.0.1", port=port), granted) is None
    assert await refused(sandbox, "import pwd, os; pwd.getpwuid(os.getuid()); raise ValueError") is None
