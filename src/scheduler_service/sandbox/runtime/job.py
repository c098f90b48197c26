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
from scheduler_service.sandbox.confinement.root import HOME, USUAL_DISK_MB, resize_private, user_name
from scheduler_service.sandbox.contract.access import NOTHING, Access
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
    Terms,
    pack_job_message,
    parse_order,
    receive,
)
from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.cgroup import Membership
from scheduler_service.sandbox.kernel.oom import prefer_for_oom_kill
from scheduler_service.sandbox.kernel.syscalls import AT_FDCWD, Prctl
from scheduler_service.sandbox.runtime.job_directory import fill_directory, make_places, write_file
from scheduler_service.sandbox.runtime.python_code import FILE, Interpreter, ScriptStart, variables_read_at_start
from scheduler_service.sandbox.runtime.reseeding import Reseeding

SCRIPT_FILE = "job"
_kept: list[object] = []
"""Keeps what the user's code needs no more. Freeing it would write to memory that the kernel then copies."""
_SMALL_TEXT = 1 << 16
_USERS_MISTAKES = (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC, errno.E2BIG, errno.EISDIR, errno.ELOOP)


class PreparedJob(NamedTuple):
    """What is made before the fork for the process of one job: its first calls, its inputs, and its confinement."""

    entry: CallProgram
    orders: socket.SocketType
    channel: socket.SocketType
    cgroup: Membership | None
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
        self._script: ScriptStart | None = None
        self._has_own_root = Layer.MOUNT_NAMESPACE in confinement.layers
        self._is_granted_some = bool(confinement.granted)
        self._empty_stdin = CallProgram()
        self._empty_stdin.add("close", 0)
        self._empty_stdin.add("openat", AT_FDCWD, os.devnull.encode(), os.O_RDONLY)

    def prepare(self) -> None:
        """Do what all processes that are forked from this one inherit."""
        prefer_for_oom_kill()
        if Layer.RESOURCE_LIMITS in self._confinement.layers:
            limit_alike()
        self._baseline = measure_baseline()
        self._user_name = user_name(self._confinement.user.uid)
        self._settings = _readable_settings(self._confinement)
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
        cell = Cell(self._confinement, self._baseline, given)
        return PreparedJob(entry, given.orders, given.channel, given.cgroup, cell)

    def become(self, prepared: PreparedJob) -> None:
        """Wait for the order, then run it in this process, confined and in its cgroup.

        Return only for Python code, which CPython runs when all callers have returned; see `startup/sitecustomize.py`.

        An error before the user's code is sent to the supervisor on the channel, which is closed when the code begins.
        """
        _, orders, channel, _, _ = prepared
        try:
            order = self.confine(prepared)
            orders.detach()  # its descriptor is closed; the number may soon belong to a file of the user's code
        except GrantedPathError as error:
            _reject(channel, f"a grant of this job is out of order: {error}")
        except BaseException as error:  # noqa: BLE001 (nothing may go on from here)
            channel.sendall(pack_job_message(JobMessage(failure=f"{type(error).__name__}: {error}")))
            os._exit(1)
        try:
            self._begin(order)
        except (OSError, ValueError) as error:
            text, is_mistake = _describe(error), isinstance(error, ValueError) or error.errno in _USERS_MISTAKES
            if is_mistake:
                _reject(channel, text)
            channel.sendall(pack_job_message(JobMessage(failure=text)))
            os._exit(1)
        channel.close()
        _kept.append((self, prepared))
        if not order.files and len(order.text) < _SMALL_TEXT:  # anything larger would take of the job's own memory
            _kept.append(order)

    def confine(self, prepared: PreparedJob) -> Order:
        """Wait for the order, and confine this process to it.

        Tuples are taken apart at once: reading one of their names later touches more memory than the tuple.
        """
        entry, orders, channel, cgroup, cell = prepared
        entry.run()
        if cgroup is not None:
            cgroup.enter()
        if self._script is None:
            _prefault_search()
        elif self._reseeding.functions:
            self._reseeding.run()
        if channel.recv(1) != RULES_WRITTEN:
            os._exit(1)  # the supervisor is gone
        body, (output, *stdin) = receive(orders)
        order = parse_order(body)
        _, _, _, _, access, terms, _ = order
        if access is not NOTHING and (access.destinations or access.sockets):
            self._check_network(channel)
        if self._has_own_root:
            self._enter_root(access, terms)
        if cgroup is not None:
            cgroup.limit(max_memory_bytes(terms), terms.processes)
        self._take_stdio(output, stdin)
        os.chdir(terms.directory or HOME)
        cell.close(access, terms)
        return order

    def _check_network(self, channel: socket.SocketType) -> None:
        if why := self._confinement.network_refusal:
            _reject(channel, why)

    def _enter_root(self, access: Access, terms: Terms) -> None:
        """Resize the run's file systems. Leave everything granted, or move into a root that shows some of it."""
        if terms.disk_mb != USUAL_DISK_MB:
            resize_private(terms.disk_mb)
        if access is not NOTHING and access.needs_own_root:
            confinement = self._confinement
            enter_granted_root(confinement.granted or GrantedPaths(()), access, confinement.user)
        elif self._is_granted_some:
            leave_granted()

    def _take_stdio(self, output: int, stdin: list[int]) -> None:
        if stdin:
            os.dup2(stdin[0], 0)
        else:
            self._empty_stdin.run()  # which opens the lowest number that is free
        os.dup2(output, 1)
        os.dup2(output, 2)

    def _begin(self, order: Order) -> None:
        """Start the user's code, or return if CPython is to run it."""
        kind, text, _, env, _, terms, files = order
        directory = terms.directory
        own = env
        if terms.artifacts_mb >= 0:
            make_places()
            own = env | places_below(directory or HOME)
        if files:
            fill_directory(order)
        if kind == "python":
            write_file(FILE, text.encode())
        if self._script is None or kind != "python" or (env and variables_read_at_start(env)):
            if self._script is not None:
                _prepare_exec()
            _execute(order, job_environment(directory or HOME, self._user_name, self._settings | own))
        script, self._script = self._script, None  # it leads to the streams, which must end with the interpreter
        script.begin(own if directory is None else homes(directory) | own)


def _reject(channel: socket.SocketType, why: str) -> NoReturn:
    channel.sendall(pack_job_message(JobMessage(rejection=why)))
    os._exit(1)


def _readable_settings(confinement: Confinement) -> dict[str, str]:
    """Return variables that keep programs from system files that exist but may not be read, at which git would fail."""
    hidden = Layer.LANDLOCK in confinement.layers and Layer.MOUNT_NAMESPACE not in confinement.layers
    return {"GIT_CONFIG_NOSYSTEM": "1"} if hidden else {}


def _prepare_exec() -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and execve(2) keeps that
        signal.signal(number, signal.SIG_DFL)


def _prefault_search() -> None:
    """Execute the search for a program before the order comes: the kernel copies each page at the first write to it."""
    interpreter_of("")
    find_program(DEFAULT_INTERPRETER, job_environment(HOME, "", {})["PATH"])


def _execute(order: Order, environment: dict[str, str]) -> NoReturn:
    argv = _argv_of(order)
    os.execve(find_program(argv[0], environment["PATH"]), argv, environment)  # noqa: S606 (no shell is wanted)


def _argv_of(order: Order) -> list[str]:
    if order.kind == "program":
        return list(order.argv)
    if order.kind == "python":
        return [sys.executable, "-u", FILE]
    write_file(
        SCRIPT_FILE, order.text.encode(), 0o755
    )  # some scripts start themselves again, under flock(1) for example
    return [*interpreter_of(order.text), str(Path.cwd() / SCRIPT_FILE)]


def _describe(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"the command cannot be started: {error}"
