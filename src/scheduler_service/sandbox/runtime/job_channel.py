"""The supervisor's end of the socket to the job's process, and the broker that it opens there.

The job's process sends two kinds of `JobMessage`. With the first, its filter is in place, and from then on the broker
answers its system calls. The second says why the user's code cannot begin, and the process exits after it.

Most jobs never make a call that the filter asks about. So the broker of a job without grants and network is built when
its first call arrives. Otherwise it is built before the job begins: what paths of grants mean must not depend on what
the job does.
"""

from __future__ import annotations

import math
import os
import select
import socket
import time
from contextlib import suppress

from scheduler_service.sandbox.broker.syscall_broker import RunFiles, SyscallBroker, open_broker
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.contract.access import NOTHING
from scheduler_service.sandbox.contract.protocol import LISTENER_COPIED, JobMessage, parse_job_message, receive
from scheduler_service.sandbox.kernel.syscalls import invoke


class JobChannel:
    """Receives the messages of one job's process, and answers the system calls that its filter asks about."""

    def __init__(self, sock: socket.socket, process: int, confinement: Confinement) -> None:
        """`process` is a pidfd of the job's process."""
        self._sock = sock
        self._process = process
        self._confinement = confinement
        self._broker: SyscallBroker | None = None
        self._listener: int | None = None
        self._error: JobMessage | None = None
        self.files: RunFiles | None = None
        """The files of the run, for the broker. Must be set before the first `answer`."""
        self._has_callers = True

    @property
    def deadline(self) -> float:
        """When `answer` has something to do even if no descriptor is readable, on the monotonic clock."""
        return math.inf if self._broker is None else self._broker.deadline

    @property
    def refused(self) -> str | None:
        """What the broker refused to the job first, or None."""
        return None if self._broker is None else self._broker.refused

    def descriptors(self) -> list[int]:
        """Return the descriptors on which the job may ask something."""
        if not self._confinement.asks_supervisor or self._error is not None or not self._has_callers:
            return []
        if self._broker is not None:
            return [self._broker.descriptor]
        return [self._sock.fileno() if self._listener is None else self._listener]

    def answer(self, ready: list[int]) -> None:
        """Answer what has arrived on the descriptors that are `ready`."""
        if self._broker is not None:
            if self._broker.descriptor in ready or time.monotonic() >= self._broker.deadline:
                self._broker.answer()
        elif self._listener is not None:
            if self._listener in ready:
                self._build_broker(self._listener)
        elif self._sock.fileno() in ready:
            with suppress(EOFError):  # the process died before it was confined
                body, descriptors = receive(self._sock)
                self._receive(parse_job_message(body), descriptors)

    def read_error(self) -> JobMessage:
        """Return why the user's code could not begin; an empty message if it began. The job must be dead."""
        return self._error or read_error(self._sock)

    def close(self) -> None:
        """Close the socket and the broker. No process of the job may be left."""
        self._sock.close()
        if self._broker is not None:
            self._broker.close()
        elif self._listener is not None:
            os.close(self._listener)
        if self.files is not None:
            self.files.disk.close()
            self.files.memory.close()

    def _receive(self, message: JobMessage, descriptors: list[int]) -> None:
        if message.listener is not None:
            descriptors = [invoke("pidfd_getfd", self._process, message.listener, 0)]
            self._sock.send(LISTENER_COPIED)
        if not descriptors:
            self._error = message
        elif message.access is NOTHING:
            self._listener = descriptors[0]
        else:
            self._broker = open_broker(descriptors[0], self._confinement, self.files, message.access)

    def _build_broker(self, listener: int) -> None:
        """Build the broker and answer, or note that nobody is left who could ask."""
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        self._has_callers = any(events & select.POLLIN for _, events in poll.poll(0))
        if self._has_callers:
            self._broker = open_broker(listener, self._confinement, self.files, NOTHING)
            self._broker.answer()


def read_error(sock: socket.socket) -> JobMessage:
    """Return the last message on the socket; an empty one if the other side closed it without any."""
    try:
        return parse_job_message(receive(sock)[0])
    except EOFError:
        return JobMessage()
