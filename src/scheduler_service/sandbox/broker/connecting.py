"""The connection of a job's socket by the supervisor, which must not block."""

from __future__ import annotations

import errno
import fcntl
import os
import socket

from scheduler_service.sandbox.kernel.syscalls import connect_socket


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
    try:
        try:
            connect_socket(descriptor, raw)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
            connect_socket(descriptor, raw)
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return 0
