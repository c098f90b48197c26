"""The spawner of a supervisor: forks the process of each job, and knows nothing of any run.

Theory of operation. A supervisor stays for many runs, so its memory holds what it has seen of earlier ones: limits,
addresses, the bytes of artifacts. A job that was forked from it could search its own memory for that. So the supervisor
forks a spawner before its first run, and the spawner forks the job's process of each run. The spawner handles no data
of a run: it is asked by one byte, with sockets that it passes on. What a job has used is written by the kernel into
memory that no job gets (`Report`).

The job's process is the spawner's child. All that outlives its own parent becomes a child of the supervisor, which is
a subreaper or process 1. So after the job's end nothing of the run is left if neither has another child, and the
spawner can go on. In every other case all are killed, the spawner too, and the supervisor takes no further run.

The spawner waits for the job only when it is asked to, so the job's process id stays valid until then.

Where a job could send signals to a spawner, there is none: the supervisor forks the job itself, and takes one run only.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.confinement.cell import JobInputs
from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.cgroup import Membership
from scheduler_service.sandbox.kernel.proc_files import write_proc
from scheduler_service.sandbox.kernel.syscalls import Prctl, prctl, wait_into
from scheduler_service.sandbox.runtime.job import JobProcess, PreparedJob

_REQUEST, _ANSWER = struct.Struct("=q??"), struct.Struct("=i")  # tasks, with rules, with a cgroup
_WAIT = _REQUEST.pack(-2, False, False)  # in place of the number of tasks, which is -1 if unknown  # noqa: FBT003
_UNKNOWN = -1
_DESCRIPTOR = struct.Struct("=i")
_SPACE = socket.CMSG_SPACE(4 * _DESCRIPTOR.size)
_LAST_PID = "/proc/sys/kernel/ns_last_pid"

_kept: list[object] = []
"""Keeps what the process of a job needs no more. Freeing it would write to memory that the kernel then copies."""

Fork = Callable[[], int]
Passed = list[tuple[int, int, bytes]]
"""Descriptors that came with a message, as recvmsg(2) gives them."""


class Report:
    """What the kernel tells of an ended process, in memory that the spawner shares with its supervisor only."""

    _USAGE = struct.Struct("@qqqqq")  # the begin of struct rusage: user and system time, each in two parts; peak memory
    _STATUS, _STATUS_AT = struct.Struct("@i"), 1024

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))

    def keep_from_children(self) -> None:
        """Keep this memory out of the processes that the caller forks.

        Their copy of this object must never end: it would unmap whatever is at the same address by then.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._memory))
        self._memory.madvise(mmap.MADV_DONTFORK)

    def wait(self, pid: int) -> None:
        """Wait for a child, and have the kernel write its status and usage here. Raise OSError if it is none."""
        wait_into(pid, self._address + self._STATUS_AT, self._address)

    def read(self, children: Children) -> int:
        """Return the status. Add the usage to `children`."""
        seconds, micro, system, system_micro, peak_kb = self._USAGE.unpack_from(self._memory)
        children.add(seconds + system + (micro + system_micro) / 1e6, peak_kb)
        return int(self._STATUS.unpack_from(self._memory, self._STATUS_AT)[0])


class NoSpawner:
    """A supervisor that forks the process of its only job itself. `leave` is called in that process first."""

    pid = 0

    def __init__(self, fork: Fork, job: JobProcess, leave: Callable[[], None]) -> None:
        self._fork = fork
        self._job = job
        self._leave = leave

    def spawn(self, given: JobInputs) -> int:
        """Start the process of the job. Return its process id, and 0 in that process when its code may run."""
        pid = self._fork()
        if pid == 0:
            self._leave()
            self._job.prepare()
            self._job.become(self._job.compile(given))
        return pid

    def wait(self, children: Children) -> int | None:  # noqa: ARG002 (as `Spawner` has it)
        """Return None: the supervisor itself waits for the job."""
        return None

    def end(self) -> None:
        """Do nothing."""

    def has_nothing_left(self, children: Children) -> bool:  # noqa: ARG002 (as `Spawner` has it)
        """Return False: all processes are to be killed."""
        return False


class Spawner:
    """The supervisor's side of its spawner."""

    def __init__(self, pid: int, line: socket.socket, report: Report, *, namespaced: bool) -> None:
        self.pid = pid
        self._line = line
        self._report = report
        self._namespaced = namespaced
        self.is_usable = True

    def spawn(self, given: JobInputs) -> int:
        """Start the process of a job. Return its process id. Raise OSError if the host cannot have one more."""
        if self._namespaced:
            self._begin_ids_again()
        tasks = _UNKNOWN if given.tasks is None else given.tasks
        descriptors = [given.orders.fileno(), given.channel.fileno()]
        descriptors += [] if given.rules is None else [given.rules]
        descriptors += [] if given.cgroup is None else [given.cgroup.directory]
        request = _REQUEST.pack(tasks, given.rules is not None, given.cgroup is not None)
        socket.send_fds(self._line, [request], descriptors)
        pid = int(_ANSWER.unpack(self._line.recv(_ANSWER.size) or _ANSWER.pack(0))[0])
        if pid <= 0:
            raise OSError(-pid, f"no process for a job: {os.strerror(-pid)}" if pid else "the spawner has died")
        return pid

    def wait(self, children: Children) -> int | None:
        """Return the status of the job's process, which must have ended; None if the spawner has died before."""
        with suppress(OSError):
            self._line.send(_WAIT)
            if self._line.recv(_ANSWER.size):
                return self._report.read(children)
        self.is_usable = False
        return None

    def has_nothing_left(self, children: Children) -> bool:
        """Return whether no process of the run is left. The job's own must have been waited for.

        Its children are the supervisor's by now, or the spawner's, if it has made them so (CLONE_PARENT of clone(2)).
        The spawner waits for none of those, so they stay in its list. What ends in ours stays there until we wait for
        it. So neither list can miss one.
        """
        if not self.is_usable or children_of(self.pid):
            return False
        return children.reap(os.WNOHANG) == (0, 0) and not children.reaped and children_of(os.getpid()) == [self.pid]

    def end(self) -> None:
        """End the spawner, and wait until it is gone. Nothing must be left of a run."""
        self._line.close()
        with suppress(ChildProcessError):  # it has been killed with the processes of a run
            os.waitpid(self.pid, 0)

    def _begin_ids_again(self) -> None:
        """Set the id of the next process in our PID namespace: that after the spawner's, whatever ran before."""
        try:
            write_proc(_LAST_PID, str(self.pid))
        except OSError:  # a kernel without it: the ids would tell how many processes earlier runs had
            self.is_usable = False


def start_spawner(fork: Fork, job: JobProcess, leave: Callable[[], None], *, namespaced: bool) -> Spawner | None:
    """Fork a spawner, which begins with `leave`. Return None in the processes of jobs, when their code may run there.

    `namespaced` says that this process has a PID namespace of its own.
    """
    ours, theirs = socket.socketpair()
    report = Report()
    pid = fork()
    if pid:
        theirs.close()
        if not ours.recv(_ANSWER.size):
            raise OSError("the spawner has died")
        return Spawner(pid, ours, report, namespaced=namespaced)
    try:
        ours.close()
        leave()
        prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)
        report.keep_from_children()
        job.prepare()
        line = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach())
        line.send(_ANSWER.pack(0))
        prepared = _serve(line, report, fork, job)
    except BaseException:  # noqa: BLE001 (the supervisor notices the end)
        os._exit(1)
    job.become(prepared)
    return None


def _serve(line: socket.SocketType, report: Report, fork: Fork, job: JobProcess) -> PreparedJob:
    """Answer the supervisor until it is gone. Return in the process of a job only.

    After each fork, this process shares its memory with the new one, so what is done for each job copies pages here,
    too. The descriptors of each request have the same numbers, as a rule, so what was made for the last job is reused.
    """
    pid = 0
    last: object = None
    inputs: JobInputs | None = None
    while True:
        request, passed, _, _ = line.recvmsg(_REQUEST.size, _SPACE, socket.MSG_CMSG_CLOEXEC)
        if request == _WAIT:
            report.wait(pid)
            line.send(_ANSWER.pack(pid))
            continue
        if not request:
            os._exit(0)
        if last != (request, passed):
            _forget(inputs)
            last = (request, passed)
            inputs = _inputs(request, passed)
            prepared, closing = job.compile(inputs, line.fileno()), _closing(passed)
            _kept[:] = [inputs, closing]
        try:
            pid = fork()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            line.detach()  # its descriptor is closed by the program; the number may soon belong to a file of the job
            return prepared
        closing.run()
        line.send(_ANSWER.pack(pid))


def _numbers(passed: Passed) -> list[int]:
    return [number for *_, data in passed for (number,) in _DESCRIPTOR.iter_unpack(data)]


def _inputs(request: bytes, passed: Passed) -> JobInputs:
    tasks, with_rules, with_cgroup = _REQUEST.unpack(request)
    orders, channel, *others = _numbers(passed)
    return JobInputs(
        # With family and type given, Python does not ask the kernel for them.
        socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, orders),
        socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, channel),
        None if tasks == _UNKNOWN else tasks,
        others[0] if with_rules else None,
        Membership(others[-1]) if with_cgroup else None,
    )


def _closing(passed: Passed) -> CallProgram:
    program = CallProgram()
    for number in _numbers(passed):
        program.add("close", number)
    return program


def _forget(inputs: JobInputs | None) -> None:
    """Keep sockets from being closed again when their objects end: their descriptors have been closed already."""
    if inputs is not None:
        inputs.orders.detach()
        inputs.channel.detach()
