"""System calls of a job that cannot be answered yet, because they would block.

The supervisor must not block: it has other calls to answer and limits to check. So it makes each call without blocking,
and again when the socket is ready, or after a short time if epoll(7) cannot tell. While the supervisor has a call, only
a deadly signal ends the caller's wait, so it checks now and then whether another signal is pending.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from scheduler_service.sandbox.broker.job_access import has_signal
from scheduler_service.sandbox.broker.socket_address import fail
from scheduler_service.sandbox.kernel.notifications import Call, Listener

_RETRY_SECONDS, _SIGNAL_SECONDS = 0.01, 0.05
_MAX_WAITING = 256
_TIMEVAL = struct.Struct("@ll")
_READY = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP


class Borrowed:
    """The descriptors that an answer needs, closed in the end. Made for each call, so faster than an ExitStack."""

    __slots__ = ("_descriptors", "_sock")

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._sock: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def add(self, descriptor: int) -> int:
        """Close `descriptor` in the end."""
        self._descriptors.append(descriptor)
        return descriptor

    def open_socket(self, descriptor: int) -> socket.socket:
        """Return the socket of a descriptor, to be closed in the end. Raise OSError if it is something else."""
        try:
            self._sock = socket.socket(fileno=descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return self._sock

    def move(self) -> Borrowed:
        """Move all descriptors into a new collection, and return that."""
        other = Borrowed()
        other._descriptors, self._descriptors = self._descriptors, []
        other._sock, self._sock = self._sock, None
        return other

    def release(self) -> None:
        """Close all, once."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        while self._descriptors:
            os.close(self._descriptors.pop())


@dataclass(frozen=True, slots=True)
class Attempt:
    """A system call on a socket of the job. `act` makes it, and raises BlockingIOError if it would block.

    `late` is the error number after SO_SNDTIMEO of the socket. `polled` says that epoll(7) tells when the socket is
    ready for the call. `borrowed` is released in the end.
    """

    call: Call
    sock: socket.socket
    act: Callable[[], int]
    borrowed: Borrowed
    late: int = errno.EAGAIN
    polled: bool = True


class WaitingCalls:
    """The calls that wait for their sockets."""

    def __init__(self, listener: Listener, events: select.epoll) -> None:
        self._listener = listener
        self._events = events
        self._waiting: dict[int, tuple[Attempt, float]] = {}
        self._next_retry = math.inf

    @property
    def deadline(self) -> float:
        """When to call `retry` even if no socket is ready, on the monotonic clock."""
        return self._next_retry

    def add(self, attempt: Attempt) -> None:
        """Add a call that waits. If too many do, release what was borrowed and raise OSError."""
        if len(self._waiting) >= _MAX_WAITING:
            self._forget_the_gone()
        if len(self._waiting) >= _MAX_WAITING:
            attempt.borrowed.release()
            raise fail(errno.ENOBUFS)
        descriptor = attempt.sock.fileno()
        if attempt.polled:
            self._events.register(descriptor, _READY)
        self._waiting[descriptor] = attempt, time.monotonic() + _send_timeout(attempt.sock)
        self._schedule()

    def close(self) -> None:
        """Forget all calls, and release what they borrowed."""
        for attempt, _ in list(self._waiting.values()):
            self._drop(attempt)

    def retry(self, ready: Container[int]) -> None:
        """Make calls again whose sockets are ready, cannot be polled, or are late. Answer those that are done."""
        now = time.monotonic()
        due = now >= self._next_retry
        for descriptor, (attempt, deadline) in list(self._waiting.items()):
            if descriptor in ready or now >= deadline or (due and not attempt.polled):
                self._try(attempt, is_late=now >= deadline)
        if due:
            self._interrupt()
        if due or ready:
            self._schedule()

    def _try(self, attempt: Attempt, *, is_late: bool) -> None:
        if not self._listener.is_open(attempt.call):
            self._drop(attempt)
            return
        try:
            value = attempt.act()
        except BlockingIOError:
            if is_late:
                self._listener.refuse(attempt.call, fail(attempt.late))
                self._drop(attempt)
        except OSError as error:
            self._listener.refuse(attempt.call, error)
            self._drop(attempt)
        else:
            self._listener.answer(attempt.call, value)
            self._drop(attempt)

    def _interrupt(self) -> None:
        """Answer EINTR to callers with a pending signal, and forget those that are gone."""
        for attempt, _ in list(self._waiting.values()):
            if has_signal(attempt.call.pid):
                self._listener.refuse(attempt.call, fail(errno.EINTR))
                self._drop(attempt)
        self._forget_the_gone()

    def _forget_the_gone(self) -> None:
        for attempt, _ in list(self._waiting.values()):
            if not self._listener.is_open(attempt.call):
                self._drop(attempt)

    def _drop(self, attempt: Attempt) -> None:
        descriptor = attempt.sock.fileno()
        del self._waiting[descriptor]
        with suppress(OSError):
            self._events.unregister(descriptor)
        attempt.borrowed.release()

    def _schedule(self) -> None:
        now = time.monotonic()
        wake_ups = [
            min(deadline, now + (_SIGNAL_SECONDS if attempt.polled else _RETRY_SECONDS))
            for attempt, deadline in self._waiting.values()
        ]
        self._next_retry = min(wake_ups, default=math.inf)


def _send_timeout(sock: socket.socket) -> float:
    seconds, microseconds = _TIMEVAL.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.size))
    return seconds + microseconds / 1_000_000 or math.inf
