"""The supervisor of one run: it starts the job, holds it to its limits, and ends it with all it has started.

At level `strict` it is process 1 of the run's PID namespace, so the kernel kills the run when the supervisor dies. At
`standard` the zygote clears up after a supervisor that was killed.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from scheduler_service.sandbox.accounting.disk_count import DiskCount
from scheduler_service.sandbox.accounting.resource_watch import TICK_SECONDS, ResourceWatch, Verdict, list_processes
from scheduler_service.sandbox.broker.syscall_broker import RunFiles, SyscallBroker, open_broker
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.confinement.root import mount_private, mount_proc
from scheduler_service.sandbox.confinement.shared_memory import SharedMemory, directory_of
from scheduler_service.sandbox.confinement.workdir import Removal
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import Report, Terms, pack_record, pack_terms, parse_terms, receive
from scheduler_service.sandbox.contract.spec import End, Usage
from scheduler_service.sandbox.kernel import landlock
from scheduler_service.sandbox.kernel.cgroup import Group
from scheduler_service.sandbox.kernel.oom import count_oom_kills
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWIPC, CLONE_NEWNS, Prctl, invoke, prctl, unshare
from scheduler_service.sandbox.runtime.job import become_job
from scheduler_service.sandbox.runtime.leftovers import wait_for_leftovers
from scheduler_service.sandbox.runtime.python_end import STARVED
from scheduler_service.sandbox.runtime.reaper import kill_all, reap

CANCEL, FLOOD, RENEW = b"c", b"f", b"r"
"""What the service says to a supervisor while the job runs; its hanging up means: kill at once."""

_REQUESTS = {CANCEL: End.CANCELLED, FLOOD: End.OUTPUT_LIMIT}
_SAMPLE = Terms(1.0, 1, 1, 1, 1, None)
_BEFORE_REPORT_SECONDS = 0.1
"""A report waits so long for the removal of files, which is enough for ordinary runs. More does not hold the slot."""
_LOW_PRIORITY = 10
_WITH_GRACE = (End.TIMEOUT, End.CANCELLED)


@dataclass(frozen=True, slots=True)
class Post:
    """What a supervisor is given by the zygote: its line to the service, the zygote's sign of life, and the rules.

    `orders` is the job's own line from the service, which the supervisor only hands on. `groups` is where it makes the
    run's cgroup; None where there is none to be had.
    """

    channel: socket.socket
    orders: socket.socket
    life: int
    confinement: Confinement
    grace_seconds: float
    drain_seconds: float
    lease_seconds: float | None
    python: bool
    groups: int | None


def become_supervisor(post: Post) -> None:
    """Prepare a run, wait for its order, see it through to the end, report, and exit.

    Return in the process of the run's job only, once it is ready for Python code to run there; see `become_job`.
    """
    group = None
    try:
        group = Group(post.groups) if post.groups is not None else None
        run = _prepare(post, group)
    except BaseException as error:  # noqa: BLE001 (the service must hear of it, and the job must die)
        _fail(post, group, error, began=False)
    if run is not None:
        _see_through(post, group, run)


def _see_through(post: Post, group: Group | None, run: _Run) -> NoReturn:
    terms = None
    try:
        run.rehearse()
        terms = run.wait_for_terms()
        verdict = run.attend(terms) if terms else None
        run.end(verdict)
        if terms and verdict:
            _report(post, run.sum_up(verdict, terms))
            run.clear_up()
    except BaseException as error:  # noqa: BLE001 (as above)
        _fail(post, group, error, began=terms is not None)
    _exit(group)


def _fail(post: Post, group: Group | None, error: BaseException, *, began: bool) -> NoReturn:
    _report(post, Report(End.REJECTED, failure=f"{type(error).__name__}: {error}", began=began))
    try:
        kill_all(post.confinement.layers, post.confinement.uid, group)
    finally:
        _exit(group)


def _exit(group: Group | None) -> NoReturn:
    try:
        if group is not None:
            group.remove()
    finally:
        os._exit(0)


def _report(post: Post, report: Report) -> None:
    with suppress(OSError):  # the service may be gone
        post.channel.sendall(pack_record(report))


def _prepare(post: Post, group: Group | None) -> _Run | None:
    """Start the job's process. Return its run in the supervisor, and None in the job itself when its code may run."""
    layers = post.confinement.layers
    os.setsid()
    prctl(Prctl.SET_CHILD_SUBREAPER, 1)
    if Layer.PID_NAMESPACE in layers:
        prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)
    if Layer.MOUNT_NAMESPACE in layers:
        unshare(CLONE_NEWNS)
        mount_private(post.confinement.uid)
        if Layer.PID_NAMESPACE in layers:
            mount_proc()
    if Layer.IPC_NAMESPACE in layers:
        unshare(CLONE_NEWIPC)
    if post.confinement.shares_user and Layer.LANDLOCK in layers:
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        landlock.scope_signals()  # for `killing`
    ours, theirs = socket.socketpair()
    note = mmap.mmap(-1, 1)
    job = os.fork()
    if job == 0:
        # What of these stayed open here would hide it from the others, and from the job, when the supervisor is gone.
        for line in (post.channel, ours):
            line.close()
        os.close(post.life)
        become_job(post.orders, theirs, post.confinement, group, note, python=post.python)
        return None
    theirs.close()
    post.orders.close()
    return _Run(post, group, job, ours, note)


class _Run:
    def __init__(self, post: Post, group: Group | None, job: int, line: socket.socket, note: mmap.mmap) -> None:
        self._post = post
        self._group = group
        self._layers = post.confinement.layers
        self._job = job
        self._exit = os.pidfd_open(job)
        self._line = line
        self._note = note
        self._status: int | None = None
        self._terms: Terms | None = None
        self._said: dict[str, Any] = {}
        self._broker: SyscallBroker | None = None
        self._disk: DiskCount | None = None
        self._memory: SharedMemory | None = None
        self._watch: ResourceWatch | None = None
        self._output: int | None = None
        self._lease_end = math.inf
        self._killed = 0
        self._oom_kills = count_oom_kills()
        self._removal = Removal([])

    def rehearse(self) -> None:
        """Rehearse the end of the run as far as nothing changes by it; `job` says why."""
        ours, theirs = socket.socketpair()
        with ours:
            theirs.sendall(pack_terms(_SAMPLE))
            theirs.close()
            terms = parse_terms(receive(ours)[0])
            said = _read_line(ours)
        _wait([self._exit], time.monotonic())
        self._has_ended()
        ResourceWatch(terms, self._post.confinement, self._group)
        pack_record(self._sum_up(Verdict(End.EXITED), terms, said))

    def wait_for_terms(self) -> Terms | None:
        """Wait until the run begins, and for its terms; None if the service or the zygote went away instead."""
        if self._post.life in _wait([self._post.channel.fileno(), self._post.life]):
            return None
        try:
            body, descriptors = receive(self._post.channel)
        except EOFError:
            return None
        self._terms = parse_terms(body)
        self._output = descriptors[0] if descriptors else None
        self._lease_end = self._next_lease_end()
        return self._terms

    def attend(self, terms: Terms) -> Verdict | None:
        """Return the reason why the run is over, once it is; None if the service is gone or stands still.

        The run is over when its main process has ended and nobody can write output any more, or `drain_seconds` later:
        a filter or a background process may still hold some. If the service stands still, others may have begun the
        next attempt.
        """
        if terms.directory:
            places = [terms.directory, directory_of(terms.directory)]
            self._memory = SharedMemory(terms.directory, self._own_uid)
            self._disk = DiskCount(places, terms.disk_mb, self._own_uid, self._memory.unlinked)
        self._watch = ResourceWatch(terms, self._post.confinement, self._group, self._disk)
        verdict = self._tend(self._has_ended, time.monotonic() + terms.wall_seconds, End.TIMEOUT)
        if verdict is None or verdict.end is not End.EXITED:
            return verdict
        late = self._tend(self._is_silent, time.monotonic() + self._post.drain_seconds, End.EXITED)
        return verdict if late is not None and late.end is End.CANCELLED else late

    @property
    def _own_uid(self) -> int | None:
        """The job's user, if that is not ours."""
        return self._post.confinement.uid if Layer.OWN_USER in self._layers else None

    def _tend(self, is_over: Callable[[], bool], deadline: float, late: End) -> Verdict | None:
        """Hold the run to its limits and answer its calls until `is_over` (EXITED), the deadline (`late`) or a reason.

        Returns None if the service is gone or stands still.
        """
        next_look = time.monotonic() + TICK_SECONDS / 2 if Layer.WATCH in self._layers else math.inf
        while True:
            broker_deadline = math.inf if self._broker is None else self._broker.deadline
            ready = self._wait(min(deadline, next_look, self._lease_end, broker_deadline))
            if self._post.life in ready:
                return None
            if self._post.channel.fileno() in ready:
                request = self._post.channel.recv(1)
                if request != RENEW:
                    return Verdict(_REQUESTS[request]) if request else None
                self._lease_end = self._next_lease_end()
            self._listen(ready)
            if is_over():
                return Verdict(End.EXITED)
            if time.monotonic() >= deadline:
                return Verdict(late)
            if time.monotonic() >= self._lease_end:
                return None
            if time.monotonic() >= next_look:
                if self._watch is not None and (verdict := self._watch.look()):
                    return verdict
                self._oom_kills = count_oom_kills()
                next_look = time.monotonic() + (self._watch.pause_seconds if self._watch else TICK_SECONDS)

    def _wait(self, deadline: float) -> list[int]:
        """Wait for a word of the service or the job, or for what is awaited next of the run: its end, its silence."""
        awaited = [] if self._has_status else [self._exit]
        hang_up = [self._output] if self._has_status and self._output is not None else []
        return _wait([self._post.channel.fileno(), self._post.life, *awaited, *self._lines()], deadline, hang_up)

    def _next_lease_end(self) -> float:
        lease_seconds = self._post.lease_seconds
        return math.inf if lease_seconds is None else time.monotonic() + lease_seconds

    def end(self, verdict: Verdict | None) -> None:
        """Ask the job to stop where it has a grace time, then kill whatever is left of the run and tidy up."""
        if verdict is not None and verdict.end in _WITH_GRACE:
            with suppress(ProcessLookupError):
                os.killpg(self._job, signal.SIGTERM)
            deadline = time.monotonic() + self._post.grace_seconds
            while (reason := self._tend(self._is_silent, deadline, End.EXITED)) and reason.end is End.CANCELLED:
                pass  # it was asked to stop already
        if verdict is not None and verdict.end is End.EXITED:
            self._killed = wait_for_leftovers(self._find_processes)
        kill_all(self._layers, self._post.confinement.uid, self._group)
        if self._terms is not None and self._terms.directory is not None:
            self._removal = Removal([Path(self._terms.directory), Path(directory_of(self._terms.directory))])
            self._clear(_BEFORE_REPORT_SECONDS)

    def clear_up(self) -> None:
        """Remove what is left of the run's files, after the report: nobody waits for it.

        Stops where the zygote ends. The service then removes them with its directory.
        """
        os.nice(_LOW_PRIORITY)
        while not self._clear(_BEFORE_REPORT_SECONDS) and not _wait([self._post.life], time.monotonic()):
            pass

    def _clear(self, seconds: float) -> bool:
        try:
            return self._removal.go_on(seconds)
        except OSError:  # no fault of the run; its directory goes with that of the service
            return True

    def sum_up(self, verdict: Verdict, terms: Terms) -> Report:
        """Return what came of the run, after its end."""
        return self._sum_up(verdict, terms, self._said or _read_line(self._line))

    def _sum_up(self, verdict: Verdict, terms: Terms, said: dict[str, Any]) -> Report:
        usage = self._measure()
        if "failure" in said:
            return Report(End.REJECTED, failure=said["failure"])
        if "rejection" in said:
            return Report(End.REJECTED, message=said["rejection"])
        end, code, message = verdict.end, -verdict.signal, verdict.message
        if end is End.EXITED:
            code = os.waitstatus_to_exitcode(self._status or 0)
            end, message = self._explain_exit(code, usage, terms)
        return Report(end, code, usage.cpu_seconds, usage.max_rss_kb, message, killed=self._killed)

    def _measure(self) -> Usage:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if self._group is None:
            lost = self._watch.lost_seconds if self._watch is not None else 0.0
            return Usage(used.ru_utime + used.ru_stime + lost, used.ru_maxrss)
        return Usage(self._group.cpu_seconds(), max(used.ru_maxrss, self._group.peak_kb()))

    def _explain_exit(self, code: int, usage: Usage, terms: Terms) -> tuple[End, str | None]:
        if code >= 0:
            return (End.OUT_OF_MEMORY if code and self._note[0] == STARVED else End.EXITED), None
        if self._group is not None and self._group.has_starved():
            return End.OUT_OF_MEMORY, None
        if code == -signal.SIGKILL and count_oom_kills() > self._oom_kills:
            return End.OUT_OF_MEMORY, "was killed by the kernel because the host or the container ran out of memory"
        used_up = usage.cpu_seconds >= terms.cpu_seconds
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and used_up):
            return End.CPU_LIMIT, None
        return End.SIGNALLED, None

    def _lines(self) -> list[int]:
        """Return the descriptors on which the job may ask something of us."""
        if not self._post.confinement.asks_supervisor or self._said:
            return []
        return [self._line.fileno() if self._broker is None else self._broker.descriptor]

    def _listen(self, ready: list[int]) -> None:
        if self._broker is not None:
            if self._broker.descriptor in ready or time.monotonic() >= self._broker.deadline:
                self._broker.answer()
        elif self._terms and self._line.fileno() in ready:
            with suppress(EOFError):  # it has died before it was confined
                message, descriptors = receive(self._line)
                self._hear(json.loads(message), descriptors, self._terms)

    def _hear(self, said: dict[str, Any], descriptors: list[int], terms: Terms) -> None:
        """Answer the job's calls from now on, or keep its last words."""
        if "listener" in said:  # it waits until we have copied what its calls arrive on
            descriptors = [invoke("pidfd_getfd", self._exit, said["listener"], 0)]
            self._line.send(b"t")
        if descriptors:
            files = None
            if terms.directory and self._memory and self._disk:
                files = RunFiles(terms.directory, self._memory, self._disk)
            network = bool(said.get("network"))
            self._broker = open_broker(descriptors[0], self._post.confinement, files, network=network)
        else:
            self._said = said

    def _has_ended(self) -> bool:
        """Reap what has ended; returns whether the job's first process is among it."""
        while (ended := reap(os.WNOHANG)) not in {None, (0, 0)}:
            if ended and ended[0] == self._job:
                self._status = ended[1]
        return self._has_status

    def _find_processes(self) -> list[int]:
        return list_processes(self._layers)

    @property
    def _has_status(self) -> bool:
        return self._status is not None

    def _is_silent(self) -> bool:
        """Return whether the main process has ended and no process holds the run's output open."""
        return self._has_ended() and (self._output is None or bool(_wait([], time.monotonic(), [self._output])))


def _read_line(line: socket.socket) -> dict[str, Any]:
    """Return the last words of the job's process; none if it closed the line without any."""
    try:
        said: dict[str, Any] = json.loads(receive(line)[0])
    except EOFError:
        return {}
    return said


def _wait(descriptors: list[int], deadline: float = math.inf, hang_up: Sequence[int] = ()) -> list[int]:
    """Wait until one of `descriptors` is readable, or all writers of one of `hang_up` are gone; return which."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    for descriptor in hang_up:
        poll.register(descriptor, 0)  # POLLHUP is always reported, and unread output must not wake us
    timeout = None if deadline == math.inf else max(0.0, deadline - time.monotonic()) * 1000
    return [descriptor for descriptor, _ in poll.poll(timeout)]
