"""The interpreter that a zygote runs in: how it is started, asked and ended.

It is the operator's own Python, with few environment variables and none of the service's, and with the zygote's code in
place of `sitecustomize`. CPython itself later runs the job's script in it; see `runtime/startup/sitecustomize.py`.
"""

from __future__ import annotations

import asyncio
import os
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
    "LD_BIND_NOW": "1",  # or each job would bind functions of C libraries anew, in memory that is then copied
}
_PACKAGE = Path(__file__).parents[1]
_STARTUP = _PACKAGE / "sandbox" / "runtime" / "startup"
# As in startup/sitecustomize.py, which only a starting interpreter may import.
_CONTROL, _PACKAGES = "ZYGOTE_CONTROL", "ZYGOTE_PACKAGES"
_ANSWER_SECONDS = 60.0


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


@dataclass(frozen=True, slots=True)
class ZygoteInterpreter:
    """A running zygote and its control socket."""

    process: subprocess.Popen[bytes]
    control: socket.socket

    def is_alive(self) -> bool:
        return self.process.poll() is None

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
            self.process.communicate(timeout=_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def _last_words(self) -> str:
        _, words = self.process.communicate()
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
