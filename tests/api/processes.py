"""The documented command, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from testkit.programs import PACKAGE_PATH, Process, Start, fork
from testkit.waiting import DEADLINE_SECONDS, wait_until

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

ROOT = Path(__file__).parents[2]
COMMAND = ["uvicorn", "src.app.main:app", "--port", "0"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and its log."""

    process: Process
    log: Path
    url: str

    def client(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.url, headers={"X-API-Key": DEVELOPMENT_API_KEY}, timeout=DEADLINE_SECONDS, verify=False
        )

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of the log, each of them JSON; the server may be writing another."""
        written = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]

    def awaited_line(self, key: str) -> dict[str, Any]:
        """Return the line of the log that has a key, once it is there."""
        line: dict[str, Any] = wait_until(lambda: next((line for line in self.lines() if key in line), None))
        return line


def environment(directory: Path, **variables: str) -> dict[str, str]:
    """Return an environment without variables of the person who runs the tests."""
    given = {"SCHEDULER_DATA_DIR": str(directory / "data"), "SCHEDULER_SANDBOX": "none", **variables}
    return {"PATH": os.environ["PATH"], "HOME": str(directory), **PACKAGE_PATH, **given}


def run(directory: Path, begin: Start = fork, /, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it ends."""
    stdout, stderr = directory / "stdout", directory / "stderr"
    code = begin(COMMAND, ROOT, environment(directory, **variables), stdout, stderr).wait(DEADLINE_SECONDS)
    return subprocess.CompletedProcess(COMMAND, code, stdout.read_text("utf-8"), stderr.read_text("utf-8"))


@contextmanager
def serving(
    directory: Path, begin: Start = fork, /, command: Sequence[str] = COMMAND, **variables: str
) -> Iterator[Server]:
    """Run the command until the block ends; it is killed if it still runs then."""
    log = directory / "log"
    log.touch()
    process = begin(command, ROOT, environment(directory, **variables), directory / "stdout", log)
    try:
        yield Server(process, log, _address(process, log))
    finally:
        process.kill()
        process.wait()


def _address(process: Process, log: Path) -> str:
    """Wait until the server says where it listens."""

    def look() -> str | None:
        said = log.read_text(encoding="utf-8")
        assert process.poll() is None, said
        found = re.search(r"http://127\.0\.0\.1:[1-9]\d+", said)
        return found and found[0]

    address: str = wait_until(look)
    return address
