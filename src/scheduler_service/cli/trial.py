"""`scheduler up --distributed`: the distributed setting on one machine, as one tree of processes, to try it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scheduler_service.cli.failures import ExitCode
from scheduler_service.cli.trial_servers import die_with_parent, postgres, valkey
from scheduler_service.cli.welcome import say
from scheduler_service.config import Settings

ROLES = ("api", "beat-1", "beat-2", "worker-1", "worker-2", "flower")
# Beyond the drain: for connections to close.
LAST_SECONDS = 15.0
RESTART_SECONDS = 1.0
# A process that ends sooner than this after its start would end so again.
SOON_SECONDS = 5.0


def serve_trial(settings: Settings) -> ExitCode:
    """Start every process, start anew what dies, and give the exit code once a signal has ended all.

    Servers that DATABASE_URL and REDIS_URL name are used; those that they do not name are started. Raises
    `ConfigurationError` where that is not possible.
    """
    settings.prepare_data_dir()
    with _servers(settings) as addresses:
        return asyncio.run(_Tree(settings, {**os.environ, **addresses, **_flower(settings)}).serve())


class _Tree:
    """The processes of the service."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._flower_url = f"http://{environment['FLOWER_ADDRESS']}:{environment['FLOWER_PORT']}"
        self._end_seconds = settings.drain_seconds + LAST_SECONDS
        self._stopping = asyncio.Event()
        self._failed = False
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def serve(self) -> ExitCode:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        say(f"Flower comes up at {self._flower_url}, for the user scheduler, with the API key as password.")
        async with asyncio.TaskGroup() as group:
            for role in ROLES:
                group.create_task(self._keep(role))
        say("Stopped.")
        return ExitCode.FAILED if self._failed else ExitCode.SUCCESS

    def _stop(self) -> None:
        if self._stopping.is_set():
            self._signal(signal.SIGKILL)
        else:
            say("Draining: nothing new is started, what runs may end. Ctrl-C again stops at once.")
            self._stopping.set()
            self._signal(signal.SIGTERM)
            asyncio.get_running_loop().call_later(self._end_seconds, self._signal, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            process.send_signal(number)

    async def _keep(self, role: str) -> None:
        """Run a process until all are to stop, and again if it dies; one that cannot live ends all."""
        while not self._stopping.is_set():
            started_at = time.monotonic()
            code = await self._run(role)
            if self._stopping.is_set():
                return
            say(f"{role} ended with exit code {code}.")
            if time.monotonic() - started_at < SOON_SECONDS:
                self._failed = True
                self._stop()
                return
            await asyncio.sleep(RESTART_SECONDS)

    async def _run(self, role: str) -> int:
        command = role.partition("-")[0]
        options = ["--name", role] if command == "worker" else []
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            sys.argv[0],
            command,
            *options,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**20,
            process_group=0,  # Ctrl-C is for this process alone, which then stops the others in good order
            preexec_fn=die_with_parent,
        )
        self._running[role] = process
        try:
            await _pass_on(role, process)
            return await process.wait()
        finally:
            del self._running[role]


async def _pass_on(role: str, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None  # noqa: S101 (it is a pipe, see above)
    async for line in process.stdout:
        say(f"{role:8} | {line.decode(errors='replace').rstrip()}")


@contextmanager
def _servers(settings: Settings) -> Iterator[dict[str, str]]:
    """Start the servers that nobody named; gives their addresses as variables of the environment."""
    addresses: dict[str, str] = {}
    with ExitStack() as stack:
        if settings.database_url is None:
            url = stack.enter_context(
                postgres(_reachable(settings.data_dir, "postgres"), settings.data_dir / "programs")
            )
            addresses["DATABASE_URL"] = f"{url}/postgres"
        else:
            addresses["DATABASE_URL"] = settings.database_url.get_secret_value()
        if settings.redis_url is None:
            addresses["REDIS_URL"] = f"{stack.enter_context(valkey(_reachable(settings.data_dir, 'valkey')))}/0"
        else:
            addresses["REDIS_URL"] = settings.redis_url.get_secret_value()
        yield addresses


def _reachable(data_dir: Path, name: str) -> Path:
    """Make a directory for a server, which may run as another user than this process."""
    directory = data_dir.absolute() / name
    directory.mkdir(exist_ok=True)
    if os.getuid() == 0:
        data_dir.chmod(0o711)
        directory.chmod(0o711)
    return directory


def _flower(settings: Settings) -> dict[str, str]:
    default = {
        "FLOWER_ADDRESS": "127.0.0.1",
        "FLOWER_PORT": "5555",
        "FLOWER_BASIC_AUTH": f"scheduler:{settings.api_key.get_secret_value()}",
    }
    return {**default, **{name: value for name, value in os.environ.items() if name in default}}
