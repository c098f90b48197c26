"""Two seconds after any process is killed, nothing of its run is left."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from testkit.programs import processes_with
from testkit.waiting import wait_until
from tests.sandbox.conftest import HERE, SOURCE
from tests.sandbox.settings import ROOT, USER
from tests.sandbox.test_corpus import skip_unless_possible

SECONDS = 2.0
HOSTILE = """#!/usr/bin/env python3
import os, signal, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
os.makedirs("a/b"); open("a/b/f", "w")
for i in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(300)
        os._exit(0)
print("UP", flush=True)
time.sleep(300)
"""
SERVICE = f"""
import asyncio, sys
from pathlib import Path
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.spec import Level, Script, Spec
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

async def main():
    nothing_preloaded = [PythonEnvironment(preload=())]
    sandbox = ZygoteSandbox(Level(sys.argv[1]), Path(sys.argv[2]), 1, nothing_preloaded, max_grace_seconds=0.2)
    await sandbox.start()
    async def up(chunk):
        print(sandbox._environments["default"].pid, flush=True)
    try:
        await sandbox.run(Spec(Script({HOSTILE!r}), env={{"MARKER": sys.argv[3]}}), up, asyncio.Event())
    except Exception as error:
        print(type(error).__name__, flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


class Service:
    """A service process with one hostile run under way."""

    def __init__(self, setting: str, level: str, base: Path) -> None:
        self.marker = secrets.token_hex(8)
        self.root = base / "runs"
        arguments = [level, str(self.root), self.marker]
        self.process = subprocess.Popen(
            [sys.executable, HERE / "settings.py", setting, sys.executable, "-c", SERVICE, *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.zygote = int(self.say())
        # Between the supervisor and the job is the spawner.
        self.spawner = next(parent for pid in self.run() if (parent := parent_of(pid)) not in self.run())
        self.supervisor = parent_of(self.spawner)

    def say(self) -> str:
        """Return the next line of what the service says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(self) -> list[int]:
        """Return the processes of the run."""
        return processes_with(f"MARKER={self.marker}")

    def is_clear(self, *, of_directories: bool) -> bool:
        """Whether no process, and no directory where that is asked, is left of the run."""
        return not self.run() and not (of_directories and list(self.root.glob("*/run-*")))

    def end(self) -> None:
        """Leave nothing behind, whatever the test found."""
        self.process.kill()
        self.process.communicate()
        for pid in self.run():
            os.kill(pid, signal.SIGKILL)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(params=[(ROOT, "strict"), (ROOT, "standard"), (USER, "strict"), (USER, "standard")], ids="-".join)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    setting, level = request.param
    skip_unless_possible(setting)
    base = Path(tempfile.mkdtemp(prefix="death-", dir="/tmp"))
    base.chmod(0o777)
    service = Service(setting, level, base)
    yield service
    service.end()
    shutil.rmtree(base)


def wait_until_clear(service: Service, *, of_directories: bool = True) -> None:
    try:
        wait_until(lambda: service.is_clear(of_directories=of_directories), SECONDS)
    except AssertionError as error:
        error.add_note(f"left: {service.run()}, {list(service.root.glob('*/run-*'))}")
        raise


def test_run_dies_when_its_service_is_killed(service: Service) -> None:
    os.kill(service.process.pid, signal.SIGKILL)
    wait_until_clear(service)


def test_run_dies_when_its_zygote_is_killed(service: Service) -> None:
    os.kill(service.zygote, signal.SIGKILL)
    wait_until_clear(service)
    assert service.say() == "SandboxError"


def test_run_dies_when_its_supervisor_is_killed(service: Service) -> None:
    os.kill(service.supervisor, signal.SIGKILL)
    wait_until_clear(service)
    assert service.say() == "SandboxError"


def test_run_dies_when_its_spawner_is_killed(service: Service) -> None:
    os.kill(service.spawner, signal.SIGKILL)
    wait_until_clear(service)
    assert service.say() == "SandboxError"


def test_run_dies_when_service_and_supervisor_are_killed(service: Service) -> None:
    os.kill(service.process.pid, signal.SIGKILL)
    with suppress(ProcessLookupError):  # a supervisor may be quicker
        os.kill(service.supervisor, signal.SIGKILL)
    wait_until_clear(service, of_directories=False)  # they are removed at the next start
