"""The command `scheduler up --distributed`, which runs all processes of the distributed mode on one machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scheduler_service.cli.banner import print_now
from scheduler_service.cli.devstack_servers import (
    die_with_parent,
    installed_postgres,
    installed_valkey,
    postgres,
    valkey,
)
from scheduler_service.config.settings import Settings
from scheduler_service.console.exit_codes import ExitCode

ROLES = ("api", "beat-1", "beat-2", "worker-1", "worker-2", "flower")
# Time beyond the drain for closing connections.
CLEANUP_SECONDS = 15.0
RESTART_SECONDS = 1.0
# A process that ends this soon after its start is not restarted.
MIN_LIFETIME_SECONDS = 5.0
# Printed of the log of a process that ends by itself.
LAST_LINES = 10


def serve_devstack(settings: Settings) -> ExitCode:
    """Start every process, restart those that die, and return the exit code after a signal has stopped all.

    Servers in DATABASE_URL and REDIS_URL are used; missing ones are started. Raise `ConfigurationError` on failure.
    """
    _check_installed(settings)
    settings.prepare_data_dir()
    print_now("Starting the API, 2 beats, 2 workers and Flower, and the servers that they need …")
    with _servers(settings) as addresses:
        environment = {**os.environ, **addresses, **_flower(settings), "LOG_FORMAT": settings.log_format}
        environment.setdefault("SCHEDULER_FLOWER_URL", _flower_url(environment))
        return asyncio.run(Tree(settings, environment).serve())


class Tree:
    """The processes of the service."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._also = [
            f"Flower   {_flower_url(environment)}  (user scheduler, password: the API key)",
            f"Runs     the API, 2 beats, 2 workers and Flower, with the data in {settings.data_dir}",
        ]
        self._logs: Path | None = None
        if settings.log_format == "console":
            self._logs = settings.data_dir / "logs"
            self._also.append(f"Logs     {self._logs}, a file for each process")
        self._end_seconds = settings.drain_seconds + CLEANUP_SECONDS
        self._stopping = asyncio.Event()
        self._failed = False
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def serve(self) -> ExitCode:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        if self._logs is not None:
            shutil.rmtree(self._logs, ignore_errors=True)
            self._logs.mkdir(mode=0o700)
        async with asyncio.TaskGroup() as group:
            for role in ROLES:
                group.create_task(self._keep(role))
        print_now("Stopped.")
        return ExitCode.FAILED if self._failed else ExitCode.SUCCESS

    def _stop(self) -> None:
        if self._stopping.is_set():
            self._signal(signal.SIGKILL)
        else:
            print_now(
                "Draining: waiting for running jobs to end; no new run starts. Press Ctrl-C again to stop at once."
            )
            self._stopping.set()
            self._signal(signal.SIGTERM)
            asyncio.get_running_loop().call_later(self._end_seconds, self._signal, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            process.send_signal(number)

    async def _keep(self, role: str) -> None:
        """Run a process and restart it until all are stopped. A process that fails repeatedly stops all."""
        while not self._stopping.is_set():
            started_at = time.monotonic()
            code = await self._run(role)
            if self._stopping.is_set():
                return
            print_now(f"{role} ended with exit code {code}.")
            if time.monotonic() - started_at < MIN_LIFETIME_SECONDS:
                self._failed = True
                self._stop()
                return
            await asyncio.sleep(RESTART_SECONDS)

    async def _run(self, role: str) -> int:
        command = role.partition("-")[0]
        options = {"worker": ["--name", role], "api": [f"--also={line}" for line in self._also]}.get(command, [])
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            sys.argv[0],
            command,
            *options,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**20,
            process_group=0,  # only this process gets Ctrl-C and stops the others in order
            preexec_fn=die_with_parent,
        )
        self._running[role] = process
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._show(role, process.stdout))
                group.create_task(self._log(role, process.stderr))
            return await process.wait()
        finally:
            del self._running[role]

    async def _show(self, role: str, output: asyncio.StreamReader | None) -> None:
        """Print what a process says to people. On a terminal only the API does, and this process speaks of the end."""
        async for line in _lines(output):
            if self._logs is None or (role == "api" and not self._stopping.is_set()):
                print_now(line)  # no prefix, so that lines can be copied

    async def _log(self, role: str, output: asyncio.StreamReader | None) -> None:
        """Print the log of a process, or on a terminal write it to a file and print its end if the process fails."""
        prefix = f"{role:8} | "
        if self._logs is None:
            async for line in _lines(output):
                print_now(f"{prefix}{line}")
            return
        last: deque[str] = deque(maxlen=LAST_LINES)
        with (self._logs / f"{role}.log").open("a", encoding="utf-8", buffering=1) as file:
            async for line in _lines(output):
                file.write(f"{line}\n")
                last.append(line)
        if not self._stopping.is_set():
            for line in last:
                print_now(f"{prefix}{line}")


async def _lines(output: asyncio.StreamReader | None) -> AsyncIterator[str]:
    assert output is not None  # noqa: S101 (both are pipes, see above)
    async for line in output:
        yield line.decode(errors="replace").rstrip()


@contextmanager
def passable(directory: Path) -> Iterator[None]:
    """Make a directory traversable for other users within the block, for a server that root runs as another user.

    They cannot read its files, which only their owner can.
    """
    if os.getuid() != 0:
        yield
        return
    for file in directory.iterdir():
        if file.is_file() and not file.is_symlink():
            file.chmod(stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXU)
    mode = stat.S_IMODE(directory.stat().st_mode)
    directory.chmod(mode | stat.S_IXOTH)
    try:
        yield
    finally:
        directory.chmod(mode)


def _check_installed(settings: Settings) -> None:
    """Raise `ConfigurationError` if a server that must be started is not installed, before anything is changed."""
    if settings.database_url is None:
        installed_postgres()
    if settings.redis_url is None:
        installed_valkey()


@contextmanager
def _servers(settings: Settings) -> Iterator[dict[str, str]]:
    """Start the missing servers, and yield their addresses as environment variables."""
    with ExitStack() as stack:
        yield {"DATABASE_URL": _database_url(settings, stack), "REDIS_URL": _redis_url(settings, stack)}


def _database_url(settings: Settings, stack: ExitStack) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    data_dir = settings.data_dir.absolute()
    directory = data_dir / "postgres"
    directory.mkdir(mode=0o700, exist_ok=True)
    stack.enter_context(passable(data_dir))
    stack.enter_context(passable(directory))
    return f"{stack.enter_context(postgres(directory, data_dir / 'programs'))}/postgres"


def _redis_url(settings: Settings, stack: ExitStack) -> str:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    directory = settings.data_dir.absolute() / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    return f"{stack.enter_context(valkey(directory))}/0"


def _flower_url(environment: Mapping[str, str]) -> str:
    return f"http://{environment['FLOWER_ADDRESS']}:{environment['FLOWER_PORT']}"


def _flower(settings: Settings) -> dict[str, str]:
    default = {
        "FLOWER_ADDRESS": "127.0.0.1",
        "FLOWER_PORT": "5555",
        "FLOWER_BASIC_AUTH": f"scheduler:{settings.api_key.get_secret_value()}",
    }
    return {**default, **{name: value for name, value in os.environ.items() if name in default}}
