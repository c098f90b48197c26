"""The command `scheduler` in real processes, each with its own environment and directory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from testkit.programs import PACKAGE_PATH, Process, Start, fork, program
from testkit.waiting import DEADLINE_SECONDS, wait_until

PROGRAM = str(program("scheduler"))
STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands with one environment, in one directory."""

    directory: Path
    environment: dict[str, str]

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([PROGRAM, *map(str, arguments)], **self._options(options))

    def run(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": DEADLINE_SECONDS, **options}
        return subprocess.run([PROGRAM, *map(str, arguments)], check=False, **self._options(options))

    def call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Do as `run` does, by a fork: ten times as fast, see `programs`."""
        words = ["scheduler", *map(str, arguments)]
        with tempfile.TemporaryDirectory() as place:
            streams = [Path(place, stream) for stream in STREAMS]
            code = fork(words, self.directory, self.environment, *streams).wait(DEADLINE_SECONDS)
            return subprocess.CompletedProcess(words, code, *(stream.read_text("utf-8") for stream in streams))

    def read(self, *arguments: object) -> Any:
        """Call a command, check that it succeeds, and return its JSON."""
        done = self.call(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        usual = {"cwd": self.directory, "env": self.environment, "text": True, "stdin": subprocess.DEVNULL}
        return {**usual, **options}


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `shell` runs commands that talk to it."""

    process: Process
    directory: Path
    shell: Shell
    url: str
    client: httpx2.Client

    @property
    def output(self) -> str:
        return (self.directory / "stdout").read_text(encoding="utf-8")

    @property
    def log(self) -> str:
        return (self.directory / "stderr").read_text(encoding="utf-8")

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """Call the API directly: faster than a command when a test only prepares something."""
        answer = self.client.request(method, path, json=document)
        assert answer.is_success, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def add_job(self, code: str, **fields: Any) -> int:
        """Create a job that runs Python code, with a far schedule unless `fields` has one. Return its id."""
        payload = {"type": "python_code", "code": code}
        job = self.call("POST", "jobs", {"name": "job", "schedule_expr": "@yearly", "payload": payload, **fields})
        number: int = job["id"]
        return number

    def start_run(self, job_id: int) -> int:
        """Start a run, wait until it has written output, and return its id."""
        run_id: int = self.call("POST", f"jobs/{job_id}/run")["id"]
        wait_until(lambda: self.call("GET", f"runs/{run_id}/logs"))
        return run_id

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)


def shell(directory: Path, **variables: str) -> Shell:
    """Return a shell in a directory, with an environment without variables of the person who runs the tests."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "COLUMNS": "100", **PACKAGE_PATH, **variables}
    return Shell(directory, environment)


@contextmanager
def up(directory: Path, begin: Start = fork, /, **variables: str) -> Iterator[Service]:
    """Run `scheduler up` on a free port, with its data in the directory, and kill it at the end of the block.

    It has no sandbox unless `variables` set one, because a sandbox takes a third of a start.
    """
    own = {"SCHEDULER_PORT": "0", "SCHEDULER_DATA_DIR": str(directory / "data"), "SCHEDULER_SANDBOX": "none"}
    here = shell(directory, **{**own, **variables})
    for stream in STREAMS:
        (directory / stream).write_bytes(b"")
    process = begin(["scheduler", "up"], directory, here.environment, *(directory / stream for stream in STREAMS))
    try:
        url = wait_until(lambda: _announced_url(process, directory))
        key = {"X-API-Key": variables.get("API_KEY", DEVELOPMENT_API_KEY)}
        with httpx2.Client(base_url=f"{url}/api/v1/", headers=key, verify=False) as client:
            yield Service(process, directory, shell(directory, **{**variables, "SCHEDULER_URL": url}), url, client)
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)


def _announced_url(process: Process, directory: Path) -> str | None:
    assert process.poll() is None, (directory / "stderr").read_text(encoding="utf-8")
    found = re.search(r"(http://\S+)/docs", (directory / "stdout").read_text(encoding="utf-8"))
    return found[1] if found else None
