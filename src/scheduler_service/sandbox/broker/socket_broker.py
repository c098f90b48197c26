"""The socket broker: it connects and binds the sockets of a job, if they may reach the address.

A system call filter cannot follow the pointer to an address. Another thread can change the address between a look at
it and the kernel's use of it. So the filter asks about each call that names an address, and none is let through.
The broker copies the address, judges the copy, and takes a copy of the job's socket (pidfd_getfd(2)). Then it connects,
binds or sends with both copies.

Without network, a job has UNIX sockets, in its own places. If its level has network namespaces, the broker enters a
fresh one when the first socket is wanted, and makes the job's sockets there: IP then works among the processes of the
run, and names that are no files are its own. With network, the policy says where to, and nothing is received from
anybody but who was addressed. The job itself then still is in a namespace without any network.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial

from scheduler_service.sandbox.broker.connecting import connect_now
from scheduler_service.sandbox.broker.job_access import signed
from scheduler_service.sandbox.broker.job_sockets import IP_FAMILIES, JobSockets, check_family, cookie_of, is_blocking
from scheduler_service.sandbox.broker.socket_address import (
    InetAddress,
    UnixAddress,
    fail,
    path_address,
)
from scheduler_service.sandbox.broker.waiting_calls import Attempt, Borrowed
from scheduler_service.sandbox.kernel.notifications import Call
from scheduler_service.sandbox.kernel.syscalls import bind_socket


class SocketBroker:
    """Answers the calls of a job that connect, bind or listen."""

    def __init__(self, sockets: JobSockets) -> None:
        self._sockets = sockets
        self.actions: dict[str, Callable[[Call], int | None]] = {
            "socket": sockets.create,
            "connect": self._connect,
            "bind": self._bind,
            "listen": self._listen,
        }

    def _connect(self, call: Call) -> int | None:
        address = self._sockets.read_address(call, call.arguments[1], call.arguments[2])
        with Borrowed() as borrowed:
            sock = self._sockets.take(call, borrowed)
            if isinstance(address, UnixAddress):
                return self._connect_unix(call, sock, address, borrowed)
            if isinstance(address, InetAddress):
                check_family(sock, IP_FAMILIES)
                self._sockets.judge(address, sock)
            if sock.type == socket.SOCK_DGRAM:
                self._sockets.associations.pop(cookie_of(sock), None)
                if isinstance(address, InetAddress) and self._sockets.is_local():
                    self._sockets.expect_receiver(address)
            try:
                return self._start_connecting(call, sock, partial(connect_now, sock, address.raw), borrowed)
            except OSError as error:
                if isinstance(address, InetAddress):
                    self._sockets.note_failure(address, sock, error)
                raise

    def _connect_unix(self, call: Call, sock: socket.socket, address: UnixAddress, borrowed: Borrowed) -> int | None:
        check_family(sock, (socket.AF_UNIX,))
        raw = address.raw
        if address.is_path:
            granted = self._sockets.unix.open_granted(call.pid, address.name)
            if granted is not None:
                act = partial(self._sockets.unix.connect_granted, sock, borrowed.add(granted))
                return self._start_connecting(call, sock, act, borrowed)
            file = borrowed.add(self._open(call.pid, address.name))
            raw = path_address(f"/proc/self/fd/{file}")
        elif address.name:
            self._sockets.judge_name(sock)
        return self._start_connecting(call, sock, partial(connect_now, sock, raw), borrowed)

    def _open(self, pid: int, name: bytes) -> int:
        try:
            return self._sockets.unix.open(pid, name)
        except OSError as error:
            if error.errno == errno.EACCES:
                self._sockets.refusals.note_file(name)
            raise

    def _start_connecting(
        self, call: Call, sock: socket.socket, connect: Callable[[], int], borrowed: Borrowed
    ) -> int | None:
        try:
            return connect()
        except BlockingIOError:
            if not is_blocking(sock):
                raise
        is_unix = sock.family == socket.AF_UNIX
        late = errno.EAGAIN if is_unix else errno.EINPROGRESS
        self._sockets.waiting.add(Attempt(call, sock, connect, borrowed.move(), late, polled=not is_unix))
        return None

    def _bind(self, call: Call) -> int | None:
        address = self._sockets.read_address(call, call.arguments[1], call.arguments[2])
        with Borrowed() as borrowed:
            sock = self._sockets.take(call, borrowed)
            if isinstance(address, UnixAddress):
                check_family(sock, (socket.AF_UNIX,))
                if address.is_path:
                    return self._sockets.unix.bind(call.pid, sock.fileno(), address)
                self._sockets.judge_name(sock)
            elif not self._sockets.is_local():
                raise fail(errno.EACCES)
            bind_socket(sock.fileno(), address.raw)
            return 0

    def _listen(self, call: Call) -> int | None:
        with Borrowed() as borrowed:
            sock = self._sockets.take(call, borrowed)
            if sock.family != socket.AF_UNIX and not self._sockets.is_local():
                raise fail(errno.EACCES)
            backlog = signed(call.arguments[1])
            if sock.family == socket.AF_UNIX:
                return self._sockets.unix.listen(sock, backlog)
            sock.listen(backlog)
            return 0
