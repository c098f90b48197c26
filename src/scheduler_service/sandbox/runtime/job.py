"""The job's own process, from its fork to the first instruction of the user's code."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from scheduler_service.sandbox.confinement.cell import Cell, Confinement, JobInputs
from scheduler_service.sandbox.confinement.granted_paths import GrantedPathError, GrantedPaths
from scheduler_service.sandbox.confinement.granted_root import enter_granted_root, leave_granted
from scheduler_service.sandbox.confinement.limits import max_memory_bytes
from scheduler_service.sandbox.confinement.root import HOME, resize_private, user_name
from scheduler_service.sandbox.contract.access import NOTHING, Access
from scheduler_service.sandbox.contract.collected import places_below
from scheduler_service.sandbox.contract.command import (
    DEFAULT_INTERPRETER,
    find_program,
    interpreter_of,
    job_environment,
)
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import (
    RULES_WRITTEN,
    JobMessage,
    Order,
    Terms,
    pack_job_message,
    pack_order,
    parse_order,
    receive,
)
from scheduler_service.sandbox.kernel.oom import prefer_for_oom_kill
from scheduler_service.sandbox.kernel.syscalls import Prctl, enter_namespace, prctl
from scheduler_service.sandbox.runtime.job_directory import fill_directory, write_file
from scheduler_service.sandbox.runtime.python_code import FILE, ScriptStart, variables_read_at_start

SCRIPT_FILE = "job"
_SAMPLE = pack_order(
    Order("program", "", [DEFAULT_INTERPRETER], {}, NOTHING, Terms(1.0, 1.0, 1, 1, 1, 1, -1, None), {})
)
_USERS_MISTAKES = (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC, errno.E2BIG, errno.EISDIR, errno.ELOOP)


class JobProcess:
    """Makes processes those of jobs. Prepared once, in the process that forks them.

    `namespaces` are a pidfd and the kinds of that process's namespaces to enter: 0 for none. `python` says that orders
    will be for Python code, so that the interpreter can be prepared before they come. `packages` is a directory from
    which that code may import, or empty. `note` is memory shared with the supervisor; see `python_end`.
    """

    def __init__(
        self,
        confinement: Confinement,
        note: mmap.mmap,
        namespaces: tuple[int, int],
        *,
        python: bool,
        packages: str,
    ) -> None:
        self._confinement = confinement
        self._note = note
        self._namespaces = namespaces
        self._python = python
        self._packages = packages

    def prepare(self) -> None:
        """Do what all processes that are forked from this one inherit."""
        prefer_for_oom_kill()
        self._cell = Cell(self._confinement)
        self._cell.limit_beforehand()
        self._script = ScriptStart(self._note, self._packages) if self._python else None
        if not self._python:
            _prepare_exec()

    def become(self, given: JobInputs) -> None:
        """Wait for the order, then run it in this process, confined and in its cgroup.

        Return only for Python code, which CPython runs when all callers have returned; see `startup/sitecustomize.py`.

        An error before the user's code is sent to the supervisor on the channel, which is closed when the code begins.
        """
        channel = given.channel
        try:
            order, directory = self._confine(given)
            given.orders.detach()  # its descriptor is closed; the number may soon belong to a file of the user's code
        except GrantedPathError as error:
            _reject(channel, f"a grant of this job is out of order: {error}")
        except BaseException as error:  # noqa: BLE001 (nothing may go on from here)
            channel.sendall(pack_job_message(JobMessage(failure=f"{type(error).__name__}: {error}")))
            os._exit(1)
        try:
            self._begin(order, directory)
        except (OSError, ValueError) as error:
            text, is_mistake = _describe(error), isinstance(error, ValueError) or error.errno in _USERS_MISTAKES
            if is_mistake:
                _reject(channel, text)
            channel.sendall(pack_job_message(JobMessage(failure=text)))
            os._exit(1)
        channel.close()

    def _confine(self, given: JobInputs) -> tuple[Order, str]:
        os.setsid()
        prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)
        if given.cgroup is not None:
            given.cgroup.enter()
        if self._namespaces[1]:
            enter_namespace(*self._namespaces)
        if self._script is not None:
            self._script.prepare()
        else:
            _prefault_search()
        _prefault()
        return self._close_cell(given)

    def _close_cell(self, given: JobInputs) -> tuple[Order, str]:
        """Wait for the order and confine this process to it. Return it, and the run's directory."""
        if given.channel.recv(1) != RULES_WRITTEN:
            os._exit(1)  # the supervisor is gone
        confinement = self._confinement
        body, (output, *stdin) = receive(given.orders)
        order = parse_order(body)
        if (order.access.destinations or order.access.sockets) and confinement.network_refusal:
            _reject(given.channel, confinement.network_refusal)
        directory = order.terms.directory or HOME
        if Layer.MOUNT_NAMESPACE in confinement.layers:
            resize_private(order.terms.disk_mb)
            _choose_root(confinement, order.access)
        if given.cgroup is not None:
            given.cgroup.limit(max_memory_bytes(order.terms), order.terms.processes)
        _take_stdio(output, *stdin)
        os.chdir(directory)
        self._cell.close(order, given)
        return order, directory

    def _begin(self, order: Order, directory: str) -> None:
        """Start the user's code, or return if CPython is to run it."""
        places = places_below(directory) if order.terms.collects else {}
        own = _readable_settings(self._confinement) | order.env | places
        environment = job_environment(directory, user_name(os.getuid()), own)
        fill_directory(order)
        if order.kind == "python":
            write_file(FILE, order.text.encode())
        if self._script is None or order.kind != "python" or variables_read_at_start(order.env):
            _execute(order, environment)
        self._script.begin(environment)


def _reject(channel: socket.socket, why: str) -> NoReturn:
    channel.sendall(pack_job_message(JobMessage(rejection=why)))
    os._exit(1)


def _choose_root(confinement: Confinement, access: Access) -> None:
    """Leave everything granted, or move into a root with what this run is granted."""
    if access.needs_own_root:
        enter_granted_root(confinement.granted or GrantedPaths(()), access, confinement.user)
    elif confinement.granted:
        leave_granted()


def _readable_settings(confinement: Confinement) -> dict[str, str]:
    """Return variables that keep programs from system files that exist but may not be read, at which git would fail."""
    hidden = Layer.LANDLOCK in confinement.layers and Layer.MOUNT_NAMESPACE not in confinement.layers
    return {"GIT_CONFIG_NOSYSTEM": "1"} if hidden else {}


def _prepare_exec() -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and execve(2) keeps that
        signal.signal(number, signal.SIG_DFL)


def _prefault() -> None:
    """Process a sample of an order, as far as that changes nothing, before the real order comes.

    This process shares its memory with the zygote, and the kernel copies each page at the first write to it. CPython
    writes the reference count of each object that it reads. For an order without this, it is two thirds of the time.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(theirs, [_SAMPLE], [0])
        body, (output, *_) = receive(ours)
        parse_order(body)
        os.close(output)


def _prefault_search() -> None:
    """Do the same for the start of a program."""
    interpreter_of("")
    find_program(DEFAULT_INTERPRETER, job_environment(HOME, "", {})["PATH"])


def _take_stdio(output: int, stdin: int | None = None) -> None:
    source = os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin
    for descriptor, place in ((source, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, place)


def _execute(order: Order, environment: dict[str, str]) -> NoReturn:
    argv = _argv_of(order)
    os.execve(find_program(argv[0], environment["PATH"]), argv, environment)  # noqa: S606 (no shell is wanted)


def _argv_of(order: Order) -> list[str]:
    if order.kind == "program":
        return list(order.argv)
    if order.kind == "python":
        _prepare_exec()
        return [sys.executable, "-u", FILE]
    write_file(
        SCRIPT_FILE, order.text.encode(), 0o755
    )  # some scripts start themselves again, under flock(1) for example
    return [*interpreter_of(order.text), str(Path.cwd() / SCRIPT_FILE)]


def _describe(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"the command cannot be started: {error}"
