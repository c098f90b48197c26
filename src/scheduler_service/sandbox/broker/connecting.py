"""The connection of a job's socket by the supervisor, which must not block."""

from __future__ import annotations

import errno
import fcntl
import os
import socket

from scheduler_service.sandbox.kernel.syscalls import connect_socket, try_to_connect


def connect_now(sock: socket.socket, raw: bytes) -> int:
    """Connect a socket as far as possible without blocking. Raise BlockingIOError if it must be called again later.

    The flag O_NONBLOCK belongs to the open file, which the job shares. Nobody blocks on a socket that is not connected.
    The second connect(2) succeeds at once over the loopback.
    """
    descriptor = sock.fileno()
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    if flags & os.O_NONBLOCK or sock.type == socket.SOCK_DGRAM:
        connect_socket(descriptor, raw)
        return 0
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    error = try_to_connect(descriptor, raw)
    if error == errno.EINPROGRESS:
        error = try_to_connect(descriptor, raw)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    if error:
        raise OSError(error, os.strerror(error))
    return 0
