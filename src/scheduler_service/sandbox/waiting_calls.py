"""Calls of a job that cannot be answered yet, because what they ask for would block.

The job's sockets are its own: whether one blocks is a property that all who hold it share, so the warden cannot wait in
its place. It tries, and tries again when the socket is ready, or after a short time where the kernel does not tell.
Signals to the caller do not end its wait while we have its call, so we look for them now and then.
"""

from __future__ import annotations

import errno
import math
import select
import socket
import struct
import time
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass

from scheduler_service.sandbox.job_access import has_signal
from scheduler_service.sandbox.notifications import Call, Listener
from scheduler_service.sandbox.socket_address import fail

_RETRY_SECONDS, _SIGNAL_SECONDS = 0.01, 0.05
_MOST_WAITING = 256
_TIMEVAL = struct.Struct("@ll")
_READY = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that a job asks of its socket, done by `act`, which raises BlockingIOError while it has to wait.

    `late` is the error number if it has waited as long as the socket's SO_SNDTIMEO. `polled` says that the kernel tells
    when the socket is ready for it. `release` is called in the end.
    """

    call: Call
    sock: socket.socket
    act: Callable[[], int]
    release: Callable[[], None]
    late: int = errno.EAGAIN
    polled: bool = True


class WaitingCalls:
    """The calls that wait, each with its socket."""

    def __init__(self, listener: Listener, events: select.epoll) -> None:
        self._listener = listener
        self._events = events
        self._waiting: dict[int, tuple[Attempt, float]] = {}
        self._next_retry = math.inf

    @property
    def deadline(self) -> float:
        """When to call `retry` though no socket is ready, on the monotonic clock."""
        return self._next_retry

    def add(self, attempt: Attempt) -> None:
        """Let a call wait; raises OSError if too many do."""
        if len(self._waiting) >= _MOST_WAITING:
            self._forget_the_gone()
            if len(self._waiting) >= _MOST_WAITING:
                raise fail(errno.ENOBUFS)
        descriptor = attempt.sock.fileno()
        if attempt.polled:
            self._events.register(descriptor, _READY)
        self._waiting[descriptor] = attempt, time.monotonic() + _send_timeout(attempt.sock)
        self._schedule()

    def retry(self, ready: Container[int]) -> None:
        """Try again what is ready, what the kernel does not tell of, and what is late; answer what is done."""
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
        """End the waits of callers that a signal has reached, or that are gone."""
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
        attempt.release()

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
