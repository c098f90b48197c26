"""Connecting a socket of a job in its place, without waiting."""

from __future__ import annotations

import errno
import fcntl
import os
import socket

from scheduler_service.sandbox.kernel.syscalls import connect_socket


def connect_now(sock: socket.socket, raw: bytes) -> int:
    """Connect a stream as far as that does not wait; raises BlockingIOError for the rest, and goes on with it later.

    The flag is everybody's who has the socket, but nobody waits for one that is not connected. At the second try, a
    connection over the loopback is there.
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
