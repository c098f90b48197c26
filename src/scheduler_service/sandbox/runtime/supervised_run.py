"""One run as its supervisor sees it: the wait for its terms, the loop that holds it to them, and its end.

The loop ends for one of these reasons, whichever comes first:

- the main process has ended, and nobody holds the output open or `output_wait_seconds` have passed: EXITED
- a limit is exceeded: `ResourceWatch` says which
- `wall_seconds` have passed: TIMEOUT
- the service asks for the end: CANCELLED or OUTPUT_LIMIT
- the service or the zygote is gone, or the lease was not renewed: no reason, and nobody reads a report

The job's processes are then killed in every case. Only after a TIMEOUT or a cancellation they get SIGTERM and
the grace time of the run first.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.disk_count import DiskCount
from scheduler_service.sandbox.accounting.resource_watch import TICK_SECONDS, EndReason, ResourceWatch, list_processes
from scheduler_service.sandbox.broker.syscall_broker import RunFiles
from scheduler_service.sandbox.confinement.shared_memory import SharedMemory, directory_of
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import (
    CANCEL,
    FLOOD,
    RENEW,
    RunReport,
    Terms,
    pack,
    pack_terms,
    parse_terms,
    receive,
)
from scheduler_service.sandbox.contract.spec import End
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.runtime.collection import announce, collect
from scheduler_service.sandbox.runtime.job_channel import JobChannel, read_error
from scheduler_service.sandbox.runtime.leftovers import wait_for_leftovers
from scheduler_service.sandbox.runtime.polling import wait_for_descriptors
from scheduler_service.sandbox.runtime.reaper import kill_all
from scheduler_service.sandbox.runtime.remains import Remains
from scheduler_service.sandbox.runtime.run_report import ReportBuilder
from scheduler_service.sandbox.runtime.spawner import NoSpawner, Spawner
from scheduler_service.sandbox.runtime.supervisor_setup import SupervisorSetup

_REQUESTS = {CANCEL: End.CANCELLED, FLOOD: End.OUTPUT_LIMIT}
_SAMPLE = Terms(1.0, 1.0, 1, 1, 1, 1, -1, None)
_WITH_GRACE = (End.TIMEOUT, End.CANCELLED)


class SupervisedRun:
    """Holds one job to its terms.

    `job` is the id of its process, which `parent` has started, and `connection` leads there. For `end_note` see
    `python_end`.
    """

    def __init__(
        self,
        setup: SupervisorSetup,
        parent: Spawner | NoSpawner,
        cgroup: Cgroup | None,
        job: int,
        connection: socket.socket,
        end_note: mmap.mmap,
        children: Children,
    ) -> None:
        self._setup = setup
        self._parent = parent
        self._children = children
        self._layers = setup.confinement.layers
        self._cgroup = cgroup
        self._job = job
        self._process = os.pidfd_open(job)
        self._channel = JobChannel(connection, self._process, setup.confinement)
        self._reports = ReportBuilder(cgroup, end_note, children)
        self._status: int | None = None
        self._terms: Terms | None = None
        self._output: int | None = None
        self._watch: ResourceWatch | None = None
        self._lease_end = math.inf
        self._left_nothing = False
        self.remains = Remains()

    def prefault(self) -> None:
        """Go through the end of a run as far as that changes nothing, before somebody waits for it.

        This process shares its memory with the zygote, and the kernel copies each page at the first write to it.
        """
        ours, theirs = socket.socketpair()
        with ours:
            theirs.sendall(pack_terms(_SAMPLE))
            theirs.close()
            terms = parse_terms(receive(ours)[0])
            error = read_error(ours)
        wait_for_descriptors([self._process], time.monotonic())
        self._has_ended()
        ResourceWatch(terms, self._setup.confinement, self._cgroup, self._children)
        report = self._reports.build(EndReason(End.EXITED), terms, self._status, error)
        pack(announce(collect("/", 0, None), report))

    def wait_for_terms(self) -> Terms | None:
        """Wait until the run begins, and return its terms; None if the service or the zygote is gone instead."""
        service, zygote = self._setup.service, self._setup.zygote
        if zygote in wait_for_descriptors([service.fileno(), zygote]):
            return None
        try:
            body, descriptors = receive(service)
        except EOFError:
            return None
        self._terms = parse_terms(body)
        self._output = descriptors[0] if descriptors else None
        self._lease_end = self._next_lease_end()
        return self._terms

    def supervise(self, terms: Terms) -> EndReason | None:
        """Hold the run to its terms until it is over, and return why; None if nobody waits for a report.

        After the main process has ended, a filter or a background process may still hold output back. The run is over
        when nobody can write any more, or `output_wait_seconds` later.
        """
        disk = self._open_files(terms) if terms.directory else None
        self._watch = ResourceWatch(terms, self._setup.confinement, self._cgroup, self._children, disk)
        reason = self._supervise_until(self._has_ended, time.monotonic() + terms.wall_seconds, End.TIMEOUT)
        if reason is None or reason.end is not End.EXITED:
            return reason
        output_end = time.monotonic() + self._setup.output_wait_seconds
        after = self._supervise_until(self._is_output_closed, output_end, End.EXITED)
        # It is too late to cancel: the main process has ended already, and its exit code is what counts.
        return reason if after is not None and after.end is End.CANCELLED else after

    def end(self, reason: EndReason | None) -> None:
        """Ask the job to stop if it gets a grace time, then kill all that is left of the run and remove its files.

        What the run leaves is opened in between: nobody can change it any more, and open files outlast their names.
        """
        if reason is not None and reason.end in _WITH_GRACE:
            self._wait_in_grace()
        self._left_nothing = self._status is not None and self._parent.has_nothing_left(self._children)
        if not self._left_nothing:
            if reason is not None and reason.end is End.EXITED:
                self._reports.killed = wait_for_leftovers(lambda: list_processes(self._layers, self._children))
            kill_all(self._layers, self._setup.confinement.user, self._cgroup, self._children)
        if reason is not None and self._terms is not None and self._terms.collects:
            self.remains.collect(self._terms, self._file_owner)
        if self._terms is not None and self._terms.directory is not None:
            self.remains.remove(self._terms.directory)

    def build_report(self, reason: EndReason, terms: Terms) -> RunReport:
        """Build the report on the run, after its `end`."""
        self._reports.lost_seconds = self._watch.lost_seconds if self._watch is not None else 0.0
        report = self._reports.build(reason, terms, self._status, self._channel.read_error())
        return self.remains.announce(replace(report, refused=self._channel.refused))

    def close(self) -> None:
        """Close all that the run needed, but for what is collected. No process of it may be left."""
        self._channel.close()
        os.close(self._process)
        if self._output is not None:
            os.close(self._output)

    @property
    def is_spotless(self) -> bool:
        """Whether the run left neither processes nor files. Known after its `end`."""
        return self._left_nothing and self.remains.are_removed

    @property
    def _file_owner(self) -> User | None:
        """The job's user if that is not ours: it then takes that user's rights to reach the run's files."""
        return self._setup.confinement.other_user

    def _open_files(self, terms: Terms) -> DiskCount:
        directory, user = terms.directory or "", self._file_owner
        memory = SharedMemory(directory, user)
        disk = DiskCount([directory, directory_of(directory)], terms.disk_mb, user, memory.unlinked)
        self._channel.files = RunFiles(directory, memory, disk, self._children.spawner)
        return disk

    def _supervise_until(self, is_over: Callable[[], bool], deadline: float, at_deadline: End) -> EndReason | None:
        """Hold the run to its limits and answer its calls until `is_over` (EXITED) or the deadline (`at_deadline`).

        A limit or the service can end it earlier. Return None if nobody waits for a report.
        """
        next_look = time.monotonic() + TICK_SECONDS if Layer.WATCH in self._layers else math.inf
        while True:
            ready = self._wait(min(deadline, next_look, self._lease_end, self._channel.deadline))
            if self._setup.zygote in ready:
                return None
            if self._setup.service.fileno() in ready:
                request = self._setup.service.recv(1)
                if request != RENEW:
                    return EndReason(_REQUESTS[request]) if request else None
                self._lease_end = self._next_lease_end()
            self._channel.answer(ready)
            if is_over():
                return EndReason(End.EXITED)
            if time.monotonic() >= deadline:
                return EndReason(at_deadline)
            if time.monotonic() >= self._lease_end:  # another worker may have begun the next attempt
                return None
            if time.monotonic() >= next_look:
                if self._watch is not None and (reason := self._watch.look()):
                    return reason
                self._reports.forget_oom_kills()
                next_look = time.monotonic() + (self._watch.pause_seconds if self._watch else TICK_SECONDS)

    def _wait(self, deadline: float) -> list[int]:
        """Wait for the service, the zygote, the job, and for what comes next: the job's end, then its output's."""
        has_ended = self._status is not None
        awaited = [] if has_ended else [self._process]
        hang_up = [self._output] if has_ended and self._output is not None else []
        asking = self._channel.descriptors()
        return wait_for_descriptors(
            [self._setup.service.fileno(), self._setup.zygote, *awaited, *asking], deadline, hang_up
        )

    def _wait_in_grace(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._job, signal.SIGTERM)
        chosen = self._setup.max_grace_seconds if self._terms is None else self._terms.grace_seconds
        deadline = time.monotonic() + min(chosen, self._setup.max_grace_seconds)
        while (
            reason := self._supervise_until(self._is_output_closed, deadline, End.EXITED)
        ) and reason.end is End.CANCELLED:
            pass  # it was asked to stop already

    def _has_ended(self) -> bool:
        """Reap what has ended. Return whether the main process has."""
        while (ended := self._children.reap(os.WNOHANG)) not in {None, (0, 0)}:
            if ended and ended[0] == self._children.spawner:
                raise OSError("the spawner of the job was killed")
            if ended and ended[0] == self._job:
                self._status = ended[1]
        if self._status is None and wait_for_descriptors([self._process], time.monotonic()):
            self._status = self._parent.wait(self._children)
        return self._status is not None

    def _is_output_closed(self) -> bool:
        """Return whether the main process has ended and no process holds the run's output open."""
        if not self._has_ended():
            return False
        return self._output is None or bool(wait_for_descriptors([], time.monotonic(), [self._output]))

    def _next_lease_end(self) -> float:
        lease_seconds = self._setup.lease_seconds
        return math.inf if lease_seconds is None else time.monotonic() + lease_seconds
