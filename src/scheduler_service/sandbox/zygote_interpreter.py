"""The interpreter that a zygote runs in: how it is started, asked and ended.

It is the operator's own Python, with few environment variables and none of the service's, and with the zygote's code in
place of `sitecustomize`. CPython itself later runs the job's script in it; see `runtime/startup/sitecustomize.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.sandbox.confinement.root import HOME
from scheduler_service.sandbox.contract.spec import SandboxError
from scheduler_service.sandbox.runtime.python_code import FILE
from scheduler_service.sandbox.supervisor_client import receive_message

ZYGOTE_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": HOME,  # Python looks for packages of the user here; a job finds those that it wrote itself, if any
    "OPENBLAS_NUM_THREADS": "1",  # its threads would not survive the fork
    "OMP_NUM_THREADS": "1",
    "LD_BIND_NOW": "1",  # or each job would bind functions of C libraries in memory that is then copied
}
_PACKAGE = Path(__file__).parents[1]
_STARTUP = _PACKAGE / "sandbox" / "runtime" / "startup"
# As in startup/sitecustomize.py, which only a starting interpreter may import.
_CONTROL, _PACKAGES = "ZYGOTE_CONTROL", "ZYGOTE_PACKAGES"
_ANSWER_SECONDS = 60.0
_MAX_LINE_BYTES = 32


def bootstrap(module: str) -> str:
    """Return the program that calls `main` of a module of this package with the descriptor that is its argument.

    It imports none of the packages above the module, so that any interpreter can run it and stays small.
    """
    return f"""
import sys, types
for name, path in {[("scheduler_service", str(_PACKAGE)), ("scheduler_service.sandbox", str(_PACKAGE / "sandbox"))]!r}:
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [path]
from scheduler_service.sandbox.{module} import main
main(int(sys.argv[1]))
"""


@dataclass(slots=True)
class ZygoteInterpreter:
    """A running zygote and its control socket.

    `process` was started. If zygotes have a PID namespace, it has ended, and `successor` is the id of the zygote, which
    is a child of this process too; see `become_first_process`.
    """

    process: subprocess.Popen[bytes]
    control: socket.socket
    successor: int | None = None
    _is_reaped: bool = False

    @property
    def pid(self) -> int:
        """The process id of the zygote."""
        return self.successor or self.process.pid

    def is_alive(self) -> bool:
        if self.successor is None:
            return self.process.poll() is None
        self._reap(os.WNOHANG)
        return not self._is_reaped

    def find_successor(self) -> None:
        """Learn the process id of the zygote, which has answered, from the process that has ended for it."""
        if self.process.stdout is not None:
            self._note_successor(os.read(self.process.stdout.fileno(), _MAX_LINE_BYTES))
            self.process.wait()

    async def ask(self, message: bytes) -> None:
        """Send a message and wait for the answer. Raise `SandboxError` with the zygote's last words if it died."""
        try:
            await asyncio.get_running_loop().sock_sendall(self.control, message)
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await receive_message(self.control)
        except (OSError, TimeoutError) as error:
            raise SandboxError(f"the zygote does not answer: {error}") from error
        if answer is None:
            raise SandboxError(f"the zygote has died: {await asyncio.to_thread(self._last_words)}")

    def end(self) -> None:
        """Wait for its exit, which follows once `control` is closed. Kill it if it does not come."""
        try:
            written, _ = self.process.communicate(timeout=_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            written, _ = self.process.communicate()
        self._note_successor(written)
        self._reap()

    def _reap(self, options: int = 0) -> None:
        """Wait for the successor, unless that has been done: its id may belong to another process by then."""
        if self.successor is None or self._is_reaped:
            return
        try:
            self._is_reaped = os.waitpid(self.successor, options) != (0, 0)
        except ChildProcessError:  # somebody else has waited for all children
            self._is_reaped = True

    def _note_successor(self, written: bytes) -> None:
        number = written.partition(b"\n")[0]
        if self.successor is None and number.isdigit():
            self.successor = int(number)

    def _last_words(self) -> str:
        written, words = self.process.communicate()
        self._note_successor(written)
        return words.decode(errors="replace").strip() or f"exit code {self.process.returncode}"


def start_zygote(python: Path, packages: str = "") -> ZygoteInterpreter:
    """Start a zygote in the interpreter `python`. It then waits for its setup.

    It runs no code of `packages`, a directory on the module path of the interpreter.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003
    with theirs:
        return ZygoteInterpreter(_start_interpreter(python, packages, theirs), ours)


def _start_interpreter(python: Path, packages: str, control: socket.socket) -> subprocess.Popen[bytes]:
    startup = os.open(_STARTUP, os.O_PATH)
    nowhere = _open_removed_directory()
    try:
        return subprocess.Popen(  # noqa: S603 (the operator's own interpreter)
            [str(python), FILE],
            pass_fds=[control.fileno(), startup],
            stdin=subprocess.DEVNULL,
            # Python asks once, at its start, whether a standard stream can seek. Those of a job are pipes: these too.
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Python makes the name of its script absolute if it can tell the working directory. Here it cannot, so the
            # name stays relative, and tracebacks do not show where the host keeps the directory of a run.
            cwd=f"/proc/self/fd/{nowhere}",
            env={
                **ZYGOTE_ENVIRONMENT,
                "PYTHONPATH": f"/proc/self/fd/{startup}",
                _CONTROL: str(control.fileno()),
                _PACKAGES: packages,
            },
            start_new_session=True,
        )
    finally:
        os.close(startup)
        os.close(nowhere)


def _open_removed_directory() -> int:
    directory = tempfile.mkdtemp()
    try:
        return os.open(directory, os.O_PATH)
    finally:
        os.rmdir(directory)
