"""The service's side of zygotes and supervisors: starting them, giving orders, hearing reports."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scheduler_service.sandbox.confinement.root import HOME
from scheduler_service.sandbox.confinement.workdir import is_left, remove_directory
from scheduler_service.sandbox.contract.protocol import (
    HEADER,
    Order,
    Report,
    Setup,
    pack,
    pack_order,
    pack_record,
    pack_terms,
)
from scheduler_service.sandbox.contract.spec import SandboxError
from scheduler_service.sandbox.kernel.identity import UidPool
from scheduler_service.sandbox.runtime.python_code import FILE

_PACKAGE = Path(__file__).parents[1]
ZYGOTE_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": HOME,  # where Python looks for packages of the user: a job finds there what it wrote itself, if anything
    "OPENBLAS_NUM_THREADS": "1",  # its threads would not survive the fork
    "OMP_NUM_THREADS": "1",
}
_STARTUP = _PACKAGE / "sandbox" / "runtime" / "startup"
_CONTROL = "ZYGOTE_CONTROL"  # as in startup/sitecustomize.py, which nothing but a starting interpreter may import
_ZYGOTE_STACK = 2 << 20
"""Becomes the size of the jobs' thread stacks, all of which count as memory though little is ever touched."""
_ANSWER_SECONDS = 60.0


def bootstrap(module: str) -> str:
    """Write the program that calls `main` of a module of this package with the descriptor that is its argument.

    It goes around what the packages above import: any interpreter will do, and it stays small.
    """
    return f"""
import sys, types
for name, path in {[("scheduler_service", str(_PACKAGE)), ("scheduler_service.sandbox", str(_PACKAGE / "sandbox"))]!r}:
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [path]
from scheduler_service.sandbox.{module} import main
main(int(sys.argv[1]))
"""


class SupervisorLine:
    """The lines to one supervisor and to the job's process that waits below it, good for one run."""

    def __init__(self, channel: socket.socket, orders: socket.socket, uid: int) -> None:
        self._channel = channel
        self._orders = orders
        self.uid = uid

    async def order(self, order: Order, descriptors: Sequence[int], output: int) -> None:
        """Send `order` to be run. Raises `SandboxError` if the supervisor is gone, OSError if the host lacks something.

        The job gets `descriptors`. Its supervisor gets `output`, the end from which the run's output is read, to notice
        when nobody can write any more.
        """
        message = pack_order(order)
        may_run = False
        with suppress(ConnectionError):  # if the job's process is gone, the supervisor will say why
            sent = socket.send_fds(self._orders, [message], descriptors)
            if sent < len(message):
                await asyncio.get_running_loop().sock_sendall(self._orders, message[sent:])
            may_run = True
        try:
            socket.send_fds(self._channel, [pack_terms(order.terms)], [output])
        except ConnectionError as error:
            raise SandboxError("the supervisor of the run was killed", began=may_run) from error

    @property
    def is_spoilt(self) -> bool:
        """Whether it is of no use: it died, or it could not prepare a run. A good one is silent until its order."""
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def request(self, what: bytes) -> None:
        """Ask it to end the run, or to let it go on; see `supervisor`."""
        with suppress(OSError):
            self._channel.send(what)

    async def report(self) -> Report | None:
        """Wait for its report; None if it died without one."""
        message = await _receive(self._channel)
        return None if message is None else Report(**message)

    async def dismiss(self) -> None:
        """Hang up, and wait until it has killed its run, tidied up and is gone."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
            while await asyncio.get_running_loop().sock_recv(self._channel, 4096):
                pass
        self._channel.close()
        self._orders.close()


@dataclass(frozen=True, slots=True)
class _Zygote:
    process: subprocess.Popen[bytes]
    line: socket.socket

    def is_alive(self) -> bool:
        return self.process.poll() is None

    async def ask(self, message: bytes) -> None:
        """Send a message and wait for the answer; raises `SandboxError` with the zygote's last words if it died."""
        try:
            await asyncio.get_running_loop().sock_sendall(self.line, message)
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await _receive(self.line)
        except (OSError, TimeoutError) as error:
            raise SandboxError(f"the zygote does not answer: {error}") from error
        if answer is None:
            raise SandboxError(f"the zygote has died: {await asyncio.to_thread(self._last_words)}")

    def _last_words(self) -> str:
        _, words = self.process.communicate()
        return words.decode(errors="replace").strip() or f"exit code {self.process.returncode}"

    def end(self) -> None:
        """Wait until it has gone, which it does once `line` is closed; kill it if it does not."""
        try:
            self.process.communicate(timeout=_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def start_zygote(python: Path, control: socket.socket) -> subprocess.Popen[bytes]:
    """Start an interpreter that runs the zygote before its script; see `startup/sitecustomize.py`."""
    startup = os.open(_STARTUP, os.O_PATH)
    nowhere = _open_removed_directory()
    try:
        return subprocess.Popen(  # noqa: S603 (the operator's own interpreter)
            [str(python), FILE],
            pass_fds=[control.fileno(), startup],
            stdin=subprocess.DEVNULL,
            # Python asks once whether a standard stream can seek. Those of a job are pipes.
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Where no working directory is known, Python leaves the name of its script as it is given.
            cwd=f"/proc/self/fd/{nowhere}",
            env=ZYGOTE_ENVIRONMENT | {"PYTHONPATH": f"/proc/self/fd/{startup}", _CONTROL: str(control.fileno())},
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


class ZygoteProcess:
    """One zygote and the supervisors that it keeps ready, `standby` at a time; it is started again when it has died."""

    def __init__(self, python: Path, setup: Setup, uids: UidPool | None, standby: int) -> None:
        self._python = python
        self._setup = setup
        self._uids = uids
        self._standby = standby
        self._ready: deque[SupervisorLine] = deque()
        self._zygote: _Zygote | None = None
        self._starting = asyncio.Lock()
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process id of the zygote, or of the process that waits for it; None while there is none."""
        return self._zygote.process.pid if self._zygote else None

    async def start(self, mountpoint: str, groups: str) -> None:
        """Start the zygote if it is not running; raises `SandboxError` where it cannot start.

        On `mountpoint`, an empty directory, it builds the root of its jobs where they get one. In `groups`, where that
        is not empty, each gets a cgroup.
        """
        self._setup = replace(self._setup, mountpoint=mountpoint, groups=groups)
        await self._living()

    async def take_supervisor(self) -> SupervisorLine:
        """Return a supervisor that waits for an order; raises `SandboxError` where there can be none."""
        zygote = await self._living()
        while self._ready:
            if not (supervisor := self._ready.popleft()).is_spoilt:
                return supervisor
            await self.dismiss(supervisor)
        try:
            return self._appoint(zygote)
        except OSError as error:
            raise SandboxError(f"no run can be started: {error}") from error

    async def dismiss(self, supervisor: SupervisorLine) -> None:
        """Be done with a supervisor; its user id is free again."""
        await supervisor.dismiss()
        if self._uids is not None:
            self._uids.give_back(supervisor.uid)

    def bid_farewell(self, supervisor: SupervisorLine, directory: Path | None) -> None:
        """Be done with a supervisor that has reported, without waiting until it is gone and has removed `directory`."""
        farewell = asyncio.create_task(self._replace(supervisor, directory))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def _replace(self, supervisor: SupervisorLine, directory: Path | None) -> None:
        """Appoint the next supervisor when this one is gone, not before: a run needs the processor more."""
        await self.dismiss(supervisor)
        if directory is not None and is_left(directory):  # the supervisor was killed, or was told to stop
            with suppress(OSError):
                await asyncio.to_thread(remove_directory, directory)
        if self._zygote is not None and self._zygote.is_alive():
            self._refill(self._zygote)

    async def sweep(self) -> None:
        """Wait until what a dead supervisor left behind is dead too."""
        async with self._starting:
            if self._zygote is not None and self._zygote.is_alive():
                await self._zygote.ask(pack({}))

    async def stop(self) -> None:
        """End the zygote and all its supervisors; idempotent."""
        async with self._starting:
            await self._discard()

    async def _living(self) -> _Zygote:
        async with self._starting:
            if self._zygote is None or not self._zygote.is_alive():
                await self._discard()
                try:
                    self._zygote = await asyncio.to_thread(self._spawn)
                except OSError as error:
                    raise SandboxError(f"the interpreter {self._python} cannot be started: {error}") from error
                try:
                    await self._zygote.ask(pack_record(self._setup))
                except SandboxError:
                    await self._discard()
                    raise
                self._refill(self._zygote)
            return self._zygote

    def _spawn(self) -> _Zygote:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003
        with theirs:
            return _Zygote(start_zygote(self._python, theirs), ours)

    def _refill(self, zygote: _Zygote) -> None:
        with suppress(OSError):  # the next run will find out
            while len(self._ready) < self._standby:
                self._ready.append(self._appoint(zygote))

    def _appoint(self, zygote: _Zygote) -> SupervisorLine:
        (channel, supervisors), (orders, jobs) = socket.socketpair(), socket.socketpair()
        for line in (channel, orders):
            line.setblocking(False)  # noqa: FBT003
        uid = os.getuid() if self._uids is None else self._uids.take()
        with supervisors, jobs:
            try:
                socket.send_fds(zygote.line, [pack({"uid": uid})], [supervisors.fileno(), jobs.fileno()])
            except OSError:
                if self._uids is not None:
                    self._uids.give_back(uid)
                raise
        return SupervisorLine(channel, orders, uid)

    async def _discard(self) -> None:
        if self._zygote is None:
            return
        zygote, self._zygote = self._zygote, None
        zygote.line.close()
        ready, self._ready = list(self._ready), deque()
        await asyncio.gather(*self._farewells, *(self.dismiss(supervisor) for supervisor in ready))
        await asyncio.to_thread(zygote.end)


async def _receive(channel: socket.socket) -> dict[str, Any] | None:
    """Read one message; None when the other side is gone."""
    header = await _read(channel, HEADER.size)
    body = header and await _read(channel, HEADER.unpack(header)[0])
    if not body:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


async def _read(channel: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes, or none when the other side is gone."""
    parts = bytearray()
    with suppress(ConnectionError):
        while len(parts) < size and (part := await asyncio.get_running_loop().sock_recv(channel, size - len(parts))):
            parts += part
    return bytes(parts) if len(parts) == size else b""
