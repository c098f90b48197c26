"""The syscall broker: the supervisor's answers to the system calls that a job's filter asks about.

It does what the call asks for, in the job's place, if the job may have it. Then it answers the call with the result.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from scheduler_service.sandbox.accounting.disk_count import DiskCount
from scheduler_service.sandbox.broker.file_broker import FileBroker
from scheduler_service.sandbox.broker.job_sockets import JobSockets
from scheduler_service.sandbox.broker.socket_address import fail
from scheduler_service.sandbox.broker.socket_broker import SocketBroker
from scheduler_service.sandbox.broker.socket_sending import SocketSending
from scheduler_service.sandbox.broker.unix_sockets import UnixReach, UnixSockets
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.confinement.granted_root import private_places
from scheduler_service.sandbox.confinement.root import HOME, SHARED_MEMORY, temporary_directories
from scheduler_service.sandbox.confinement.shared_memory import SharedMemory
from scheduler_service.sandbox.contract.access import Access
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.network_policy import policy_of
from scheduler_service.sandbox.kernel.notifications import Call, Listener
from scheduler_service.sandbox.kernel.seccomp import Sockets
from scheduler_service.sandbox.kernel.syscall_table import (
    BROKERED_ADDRESSES,
    BROKERED_ALLOCATION,
    BROKERED_FILE_CHANGES,
    BROKERED_PROCESS_CHANGES,
    BROKERED_SHARED_MEMORY,
    BROKERED_TIME_CHANGES,
    SENDMMSG,
    SENDMSG,
    SENDTO,
    SOCKET,
)
from scheduler_service.sandbox.kernel.syscalls import MACHINES, machine

_BURST_SECONDS, _LINGER_SECONDS = 0.02, 0.001  # no longer, or the checks of the run's limits would come late
_LONGEST_WAIT_SECONDS = 0.2
_CALLS = {
    **BROKERED_FILE_CHANGES,
    **BROKERED_TIME_CHANGES,
    **BROKERED_ALLOCATION,
    **BROKERED_SHARED_MEMORY,
    **BROKERED_ADDRESSES,
    **{name: numbers for name, (numbers, _) in BROKERED_PROCESS_CHANGES.items()},
    "socket": SOCKET,
    "sendto": SENDTO,
    "sendmsg": SENDMSG,
    "sendmmsg": SENDMMSG,
}

Actions = dict[str, Callable[[Call], int | None]]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of a run: its directory, its shared memory, and what counts both.

    `spawner` is the process below this one that is no part of the run; 0 if there is none.
    """

    directory: str
    memory: SharedMemory
    disk: DiskCount
    spawner: int


class SyscallBroker:
    """Answers the calls of one job, which arrive on `listener`."""

    def __init__(self, listener: Listener, sockets: JobSockets, actions: Actions) -> None:
        self._listener = listener
        self._sockets = sockets
        sockets.events.register(listener.descriptor, select.EPOLLIN)
        processor = MACHINES.index(machine())
        self._actions = {numbers[processor]: actions[name] for name, numbers in _CALLS.items() if name in actions}

    @property
    def descriptor(self) -> int:
        """The descriptor that is readable when `answer` has something to do."""
        return self._sockets.events.fileno()

    @property
    def deadline(self) -> float:
        """When `answer` has something to do even if nothing is readable, on the monotonic clock."""
        return self._sockets.waiting.deadline

    @property
    def refused(self) -> str | None:
        """What was refused to the job first; see `Refusals.first`."""
        return self._sockets.refusals.first

    def answer(self) -> None:
        """Answer the calls that have arrived, and those that follow at once: callers often come in bursts."""
        end = time.monotonic() + _BURST_SECONDS
        timeout = 0.0
        while events := dict(self._sockets.events.poll(timeout)):
            asked = events.pop(self._listener.descriptor, 0)
            if asked & select.EPOLLIN and (call := self._listener.receive()):
                self._answer_one(call)
            elif asked & select.EPOLLHUP:  # nobody is left who could ask
                self._sockets.events.unregister(self._listener.descriptor)
            if events:
                self._sockets.waiting.retry(events)
            if time.monotonic() > end:
                break
            timeout = _LINGER_SECONDS
        self._sockets.waiting.retry(())

    def close(self) -> None:
        """Close all that was opened for the job, which must be dead, and stop the timer."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._sockets.close()
        os.close(self._listener.descriptor)

    def _answer_one(self, call: Call) -> None:
        try:
            value = self._actions[call.number](call)
        except OSError as error:
            self._listener.refuse(call, error)
        except (ValueError, OverflowError, struct.error):  # arguments that make no sense
            self._listener.refuse(call, fail(errno.EINVAL))
        else:
            if value is not None:
                self._listener.answer(call, value)


def open_broker(listener: int, confinement: Confinement, run: RunFiles | None, access: Access) -> SyscallBroker:
    """Build the broker of one run. `run` has its files, if the run does not have a file system of its own."""
    source = Listener(listener)
    sockets = _sockets_of(source, confinement, run, access)
    actions: Actions = {}
    if run is not None:
        user = confinement.other_user
        files = FileBroker(source, run.directory, user, run.memory, run.disk, access.write, spawner=run.spawner)
        actions |= files.actions
    if confinement.sockets is Sockets.BROKERED:
        actions |= SocketBroker(sockets).actions | SocketSending(sockets).actions
        _bound_waiting()
    return SyscallBroker(source, sockets, actions)


def _sockets_of(listener: Listener, confinement: Confinement, run: RunFiles | None, access: Access) -> JobSockets:
    secluded = Layer.NETWORK_NAMESPACE in confinement.layers
    return JobSockets(
        listener, UnixSockets(_unix_reach(confinement, run, access)), policy_of(access), secluded=secluded
    )


def _unix_reach(confinement: Confinement, run: RunFiles | None, access: Access) -> UnixReach:
    restricted, user = Layer.LANDLOCK in confinement.layers, confinement.other_user
    if run is not None:
        return UnixReach((run.directory,), access.sockets, user, is_restricted=restricted)
    return UnixReach(
        (HOME, SHARED_MEMORY, *temporary_directories()),
        [os.path.realpath(path) for path in access.sockets],  # what was /tmp on the host may be a link here
        user,
        hidden=[path for path in map(os.path.realpath, access.shown) if path.startswith(private_places())],
        is_mounted=True,
        is_restricted=restricted,
    )


def _bound_waiting() -> None:
    """Interrupt every system call that blocks this process for long.

    The process that closes a socket last waits as long as SO_LINGER says (socket(7)), and that may be this one.
    """
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS)
