"""Programs of the service in their own processes: executed as by a shell, or forked, which is faster.

Forking saves the imports: a process that has imported the programs forks each of them, and the fork takes over the
environment, the directory and the streams of the test. Some tests execute programs because they test how programs
start: those of the README, of the documented commands, of uvicorn's process and of `up --distributed`.
"""

from __future__ import annotations

import atexit
import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

from scheduler_service.cli.devstack_servers import die_with_parent

FOLDER = Path(sys.executable).parent
MAIN = {"scheduler": "scheduler_service.cli.main", "celery": "celery.__main__", "uvicorn": "uvicorn.main"}
SOURCE = Path(__file__).parents[1] / "src"
# With the requirements alone installed, programs find the package by its path.
PACKAGE_PATH: Mapping[str, str] = {} if (FOLDER / "scheduler").exists() else {"PYTHONPATH": str(SOURCE)}
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["testkit.preloaded", __name__])


class Process(Protocol):
    """Operations on a process, executed or forked."""

    @property
    def pid(self) -> int:
        """The process id."""

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs. For a signal it is the negative number."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code. Raise `subprocess.TimeoutExpired` after the timeout."""

    def send_signal(self, sig: int) -> None:
        """Send a signal unless the process has ended."""

    def kill(self) -> None:
        """Kill the process unless it has ended."""


class Start(Protocol):
    """Starts a program: `words` are its name and its arguments. The program dies with the tests."""

    def __call__(
        self, words: Sequence[str], directory: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
    ) -> Process:
        """Start the process in a new process group and append its output to the files. Return the process."""


def execute(
    words: Sequence[str], directory: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
) -> Process:
    """Start a program as a shell would."""
    with stdout.open("ab") as out, stderr.open("ab") as err:
        return subprocess.Popen(
            [program(words[0]), *words[1:]],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            process_group=0,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (one system call)
        )


@cache
def program(name: str) -> Path:
    """Return the path of a program. Create an equivalent one if its package is not installed."""
    if (installed := FOLDER / name).exists():
        return installed
    directory = Path(tempfile.mkdtemp(prefix="scheduler-test-program-"))
    atexit.register(shutil.rmtree, directory)
    directory.chmod(0o755)  # for the plain user to pass through
    path = directory / name
    start = f"import sys\nsys.path.insert(0, {str(SOURCE)!r})\nfrom {MAIN[name]} import main\nmain()\n"
    path.write_text(f"#!{sys.executable}\n{start}")
    path.chmod(0o755)
    return path


def fork(words: Sequence[str], directory: Path, environment: Mapping[str, str], stdout: Path, stderr: Path) -> Process:
    """Start a program in a fork of a process that has imported it."""
    process = _forks.Process(target=_become, args=(words, directory, dict(environment), stdout, stderr))
    process.start()
    return _Forked(process, words)


class _Forked:
    def __init__(self, process: ForkServerProcess, words: Sequence[str]) -> None:
        self._process = process
        self._words = words
        self.pid = process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(self._words, timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(words: Sequence[str], directory: Path, environment: Mapping[str, str], stdout: Path, stderr: Path) -> None:
    die_with_parent()
    os.setpgid(0, 0)
    for descriptor, file in ((1, stdout), (2, stderr)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(words)
    sys.exit(importlib.import_module(MAIN[words[0]]).main())


def processes_with(variable: str) -> list[int]:
    """Return the ids of processes that have a variable, `NAME=value`, in their environment."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdigit() and f"{variable}\0" in (path / "environ").read_text("utf-8", "replace"):
                found.append(int(path.name))
    return sorted(found)
