"""Sockets of several runs: they do not reach each other, and a refusal says why."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.sandbox.conftest import run_campaign
from tests.sandbox.settings import DOCKER

from scheduler_service.sandbox import (
    End,
    Finding,
    Level,
    PythonCode,
    PythonEnvironment,
    Spec,
    ZygoteSandbox,
    probe,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
LISTEN = """
import socket, time
tcp = socket.create_server(("127.0.0.1", 8765)); tcp.settimeout(0.2)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 8765)); udp.settimeout(0.2)
name = socket.socket(socket.AF_UNIX); name.bind("\\0neighbour"); name.listen()
print("UP", flush=True)
time.sleep(60)
"""
CONNECT = """
import socket
for family, kind, address in (
    (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 8765)),
    (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 8765)),
    (socket.AF_UNIX, socket.SOCK_STREAM, "\\0neighbour"),
):
    try: socket.socket(family, kind).connect(address); print("REACHED", address)
    except OSError as error: print("HELD", type(error).__name__)
socket.create_server(("127.0.0.1", 8765)); socket.socket(socket.AF_UNIX).bind("\\0neighbour")
print("OWN NAMES")
"""


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return probe()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(findings: list[Finding]) -> AsyncIterator[ZygoteSandbox]:
    if any(not finding.held for finding in findings if Level.STRICT in finding.levels):
        pytest.skip("this host does not hold the level strict")
    with tempfile.TemporaryDirectory(prefix="sockets-", dir="/tmp") as base:
        Path(base).chmod(0o711)  # noqa: ASYNC240
        sandbox = ZygoteSandbox(Level.STRICT, Path(base, "runs"), 2, [PythonEnvironment(preload=())], 0.2)
        await sandbox.start()
        yield sandbox
        await sandbox.stop()


async def test_runs_cannot_reach_each_other_over_loopback(strict: ZygoteSandbox) -> None:
    up, stop = asyncio.Event(), asyncio.Event()

    async def note(_: bytes) -> None:
        up.set()

    listening = asyncio.create_task(strict.run(Spec(PythonCode(LISTEN)), note, stop))
    await up.wait()
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    await strict.run(Spec(PythonCode(CONNECT)), collect, asyncio.Event())
    stop.set()
    assert (await listening).end is End.CANCELLED
    assert output.decode().splitlines() == ["HELD ConnectionRefusedError"] * 3 + ["OWN NAMES"]


async def test_network_is_refused_when_sockets_cannot_be_brokered() -> None:
    (found,) = await asyncio.to_thread(run_campaign, DOCKER, "standard", ((), ["networked-http"]))
    entry = found["entries"]["networked-http"]
    assert (entry["end"], entry["output"]) == (End.REJECTED, "")
    assert "pidfd_getfd: Operation not permitted" in entry["message"]
    assert "scheduler doctor" in entry["message"]
