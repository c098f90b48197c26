"""Notifications of system calls of a job, and the answers to them; see seccomp_unotify(2).

The calling thread waits for its answer, and only its death cancels a call. Process ids are used again. So what is read
of a process (its memory, its descriptors) belongs to the caller only if the call is still open afterwards.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
from contextlib import suppress
from typing import NamedTuple

_NOTIFICATION = struct.Struct("=QII iIQ 6Q")  # struct seccomp_notif: id, pid, flags; nr, arch, ip, arguments
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_IDENTITY = struct.Struct("=Q")
_NEW_DESCRIPTOR = struct.Struct("=QIIII")  # struct seccomp_notif_addfd: id, flags, ours, theirs, flags of theirs
_RECEIVE, _SEND, _IS_VALID, _ADD_DESCRIPTOR, _SET_FLAGS = (
    0xC050_2100,
    0xC018_2101,
    0x4008_2102,
    0x4018_2103,
    0x4008_2104,
)
_SYNCHRONOUS_WAKE_UP = 1
_ANSWER_WITH_IT = 2
_GO_ON = 1
_TIMER = frozenset({signal.SIGALRM})
_EMPTY = bytes(_NOTIFICATION.size)


class Call(NamedTuple):
    """A system call that a thread of the job waits for. `pid` is the thread's id."""

    identity: int
    pid: int
    number: int
    arguments: tuple[int, ...]


class Listener:
    """The descriptor on which the calls of one job arrive."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        with suppress(OSError):  # Linux 6.6: caller and answerer run on the same processor, without a wake-up between
            fcntl.ioctl(descriptor, _SET_FLAGS, _SYNCHRONOUS_WAKE_UP)

    def receive(self) -> Call | None:
        """Return the next call; None if its caller is gone."""
        notification = bytearray(_EMPTY)
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, notification)
        except OSError:
            return None
        identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(notification)
        return Call(identity, pid, number, tuple(arguments))

    def is_open(self, call: Call) -> bool:
        """Return whether the caller still waits for its answer."""
        try:
            fcntl.ioctl(self.descriptor, _IS_VALID, _IDENTITY.pack(call.identity))
        except OSError:
            return False
        return True

    def let_go_on(self, call: Call) -> None:
        """Continue the call in the kernel, which reads pointers again: so only numbers may have been judged."""
        with suppress(OSError):
            fcntl.ioctl(self.descriptor, _SEND, _RESPONSE.pack(call.identity, 0, 0, _GO_ON))

    def answer(self, call: Call, value: int) -> None:
        """Answer the call with `value`. The caller may be gone."""
        self._send(call, value, 0)

    def refuse(self, call: Call, error: OSError) -> None:
        """Answer the call with `error`. The caller may be gone."""
        self._send(call, 0, -(error.errno or errno.EPERM))

    def answer_with_descriptor(self, call: Call, descriptor: int, *, close_on_exec: bool) -> None:
        """Answer the call with a copy of `descriptor`. Raise OSError if the caller cannot have one more.

        A signal of our timer in between would make the call return 0, as if that were its new descriptor.
        """
        flags = os.O_CLOEXEC if close_on_exec else 0
        request = _NEW_DESCRIPTOR.pack(call.identity, _ANSWER_WITH_IT, descriptor, 0, flags)
        signal.pthread_sigmask(signal.SIG_BLOCK, _TIMER)
        try:
            fcntl.ioctl(self.descriptor, _ADD_DESCRIPTOR, request)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _TIMER)

    def _send(self, call: Call, value: int, error: int) -> None:
        try:
            fcntl.ioctl(self.descriptor, _SEND, _RESPONSE.pack(call.identity, value, error, 0))
        except OSError:
            return
