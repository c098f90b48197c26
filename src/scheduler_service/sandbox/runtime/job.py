"""The job's own process, from its fork to the first instruction of the user's code."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

from scheduler_service.sandbox.confinement.cell import Cell, Confinement, JobInputs
from scheduler_service.sandbox.confinement.granted_paths import GrantedPathError, GrantedPaths
from scheduler_service.sandbox.confinement.granted_root import enter_granted_root, leave_granted
from scheduler_service.sandbox.confinement.limits import limit_alike, max_memory_bytes, measure_baseline
from scheduler_service.sandbox.confinement.root import HOME, resize_private, user_name
from scheduler_service.sandbox.contract.access import Access
from scheduler_service.sandbox.contract.collected import places_below
from scheduler_service.sandbox.contract.command import (
    DEFAULT_INTERPRETER,
    find_program,
    homes,
    interpreter_of,
    job_environment,
)
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import (
    RULES_WRITTEN,
    JobMessage,
    Order,
    pack_job_message,
    parse_order,
    receive,
)
from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.oom import prefer_for_oom_kill
from scheduler_service.sandbox.kernel.syscalls import Prctl
from scheduler_service.sandbox.runtime.job_directory import fill_directory, write_file
from scheduler_service.sandbox.runtime.python_code import FILE, Interpreter, ScriptStart, variables_read_at_start
from scheduler_service.sandbox.runtime.reseeding import Reseeding

SCRIPT_FILE = "job"
_kept: list[object] = []
"""Keeps what the user's code needs no more. Freeing it would write to memory that the kernel then copies."""
_USERS_MISTAKES = (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC, errno.E2BIG, errno.EISDIR, errno.ELOOP)


class PreparedJob(NamedTuple):
    """What is made before the fork for the process of one job: its inputs, its first calls, and its confinement."""

    given: JobInputs
    entry: CallProgram
    cell: Cell


class JobProcess:
    """Makes processes those of jobs. Prepared once, in the process that forks them.

    `namespaces` are a pidfd and the kinds of that process's namespaces to enter: 0 for none. `note` is memory shared
    with the supervisor; see `python_end`. `interpreter` is None unless orders will be for Python code.
    """

    def __init__(
        self,
        confinement: Confinement,
        note: mmap.mmap,
        namespaces: tuple[int, int],
        interpreter: Interpreter | None,
    ) -> None:
        self._confinement = confinement
        self._note = note
        self._namespaces = namespaces
        self._interpreter = interpreter

    def prepare(self) -> None:
        """Do what all processes that are forked from this one inherit."""
        prefer_for_oom_kill()
        if Layer.RESOURCE_LIMITS in self._confinement.layers:
            limit_alike()
        self._baseline = measure_baseline()
        self._user_name = user_name(self._confinement.user.uid)
        self._settings = _readable_settings(self._confinement)
        self._script = None
        if self._interpreter is not None:
            environment = job_environment(HOME, self._user_name, self._settings)
            self._script = ScriptStart(self._interpreter, self._note, environment)
            self._reseeding = Reseeding(self._interpreter.generators)
        else:
            _prepare_exec()

    def compile(self, given: JobInputs, unneeded: int | None = None) -> PreparedJob:
        """Write down, before the fork, what the process of a job does. It first closes the descriptor `unneeded`."""
        entry = CallProgram()
        if unneeded is not None:
            entry.add("close", unneeded)
        entry.add("setsid")
        entry.add("prctl", Prctl.SET_PDEATHSIG, signal.SIGKILL)
        if self._namespaces[1]:
            entry.add("setns", *self._namespaces)
        if self._script is not None:
            self._reseeding.add_to(entry)
        return PreparedJob(given, entry, Cell(self._confinement, self._baseline, given))

    def become(self, prepared: PreparedJob) -> None:
        """Wait for the order, then run it in this process, confined and in its cgroup.

        Return only for Python code, which CPython runs when all callers have returned; see `startup/sitecustomize.py`.

        An error before the user's code is sent to the supervisor on the channel, which is closed when the code begins.
        """
        given = prepared.given
        channel = given.channel
        try:
            order, directory = self._confine(prepared)
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
        _kept.append((self, prepared, order))

    def _confine(self, prepared: PreparedJob) -> tuple[Order, str]:
        prepared.entry.run()
        given = prepared.given
        if given.cgroup is not None:
            given.cgroup.enter()
        if self._script is not None:
            self._reseeding.run()
        else:
            _prefault_search()
        if given.channel.recv(1) != RULES_WRITTEN:
            os._exit(1)  # the supervisor is gone
        body, (output, *stdin) = receive(given.orders)
        order = parse_order(body)
        self._enter_root(order, given)
        if given.cgroup is not None:
            given.cgroup.limit(max_memory_bytes(order.terms), order.terms.processes)
        _take_stdio(output, *stdin)
        directory = order.terms.directory or HOME
        os.chdir(directory)
        prepared.cell.close(order)
        return order, directory

    def _enter_root(self, order: Order, given: JobInputs) -> None:
        """Give the run's file systems the size and the contents of the order, which may be refused a network."""
        confinement = self._confinement
        if (order.access.destinations or order.access.sockets) and confinement.network_refusal:
            _reject(given.channel, confinement.network_refusal)
        if Layer.MOUNT_NAMESPACE in confinement.layers:
            resize_private(order.terms.disk_mb)
            _choose_root(confinement, order.access)

    def _begin(self, order: Order, directory: str) -> None:
        """Start the user's code, or return if CPython is to run it."""
        fill_directory(order)
        if order.kind == "python":
            write_file(FILE, order.text.encode())
        own = order.env | places_below(directory) if order.terms.collects else order.env
        if self._script is None or order.kind != "python" or variables_read_at_start(order.env):
            _execute(order, job_environment(directory, self._user_name, self._settings | own))
        self._script.begin(own if directory == HOME else homes(directory) | own)


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


def _prefault_search() -> None:
    """Look for a program before the order comes, because the kernel copies each page at the first write to it."""
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
