"""The programs, and what CPython alone makes of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scheduler_service.sandbox.contract.command import job_environment

PROGRAMS = Path(__file__).with_name("programs.yaml")
GIVEN = {"GREETING": "hello"}
AT_ONCE = 2
PROGRAM_SECONDS = 60

_SCRIPT_PATH = re.compile(r"(/[\w.+-]+)+/job\.py")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}(?: \[[\w.]+\])?")  # and the name of the thread, which Python 3.14 adds


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the suite. At the levels in `unless`, it shows a stated difference."""

    name: str
    code: str
    env: dict[str, str] = field(default_factory=dict)
    unless: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """What the program is given beside the usual variables."""
        return GIVEN | self.env


def load_programs() -> Iterator[Program]:
    """Yield all programs, named `theme / name`."""
    for theme, programs in yaml.load(PROGRAMS.read_text(encoding="utf-8"), yaml.CSafeLoader).items():
        for name, given in programs.items():
            fields: dict[str, Any] = {"code": given} if isinstance(given, str) else given
            yield Program(f"{theme} / {name}", **fields)


def run_by_cpython(programs: list[Program]) -> dict[str, tuple[int, str]]:
    """Return the exit code and the output of each program, run as `python job.py </dev/null 2>&1 | cat`."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip((one.name for one in programs), pool.map(_run, programs), strict=True))


def _run(program: Program) -> tuple[int, str]:
    with tempfile.TemporaryDirectory(prefix="cpython-") as directory:
        Path(directory, "job.py").write_bytes(program.code.encode())
        finished = subprocess.run(
            [sys.executable, "job.py"],
            cwd=directory,
            env=job_environment(directory, "job", program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROGRAM_SECONDS,
            check=False,
            umask=0o022,
        )
    return finished.returncode, normalize(finished.stdout)


def normalize(output: bytes) -> str:
    """Take out what differs between two runs of CPython: where the script lies, and addresses of objects."""
    text = output.decode(errors="backslashreplace")
    return _ADDRESS.sub("0x…", _SCRIPT_PATH.sub("job.py", text))
