"""The socket broker: what a job's sockets may reach is decided here, and done here.

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
import fcntl
import os
import select
import socket
import struct
from collections.abc import Callable
from functools import partial

from scheduler_service.sandbox.broker.job_access import Memory, Processes, copy_memory, open_memory, signed
from scheduler_service.sandbox.broker.socket_address import (
    LONGEST,
    InetAddress,
    SocketAddress,
    UnixAddress,
    fail,
    parse_address,
    path_address,
)
from scheduler_service.sandbox.broker.unix_sockets import UnixSockets
from scheduler_service.sandbox.broker.waiting_calls import Attempt, Borrowed, WaitingCalls
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy
from scheduler_service.sandbox.kernel.notifications import Call, Listener
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWNET, bind_socket, connect_socket, unshare

IP_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_KINDS = frozenset(
    {(socket.AF_UNIX, kind, 0) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)}
    | {(family, socket.SOCK_STREAM, protocol) for family in IP_FAMILIES for protocol in (0, socket.IPPROTO_TCP)}
    | {(family, socket.SOCK_DGRAM, protocol) for family in IP_FAMILIES for protocol in (0, socket.IPPROTO_UDP)}
)
"""The families, types and protocols of sockets that a job may have."""
_FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_INTERFACE = struct.Struct("=16sH14x")  # struct ifreq: name, flags
_SET_INTERFACE_FLAGS, _UP = 0x8914, 0x1
_SO_COOKIE, _SO_NETNS_COOKIE = 57, 71
_COOKIE_BYTES = 8
_IPV6_BYTES = 16


class JobSockets:
    """The sockets of one job, and what they may reach. `policy` is None for a job without network."""

    def __init__(self, listener: Listener, unix: UnixSockets, policy: NetworkPolicy | None, *, secluded: bool) -> None:
        self.listener = listener
        self.unix = unix
        self.processes = Processes()
        self.events = select.epoll()
        self.waiting = WaitingCalls(listener, self.events)
        self._policy = policy
        self._secluded = secluded and policy is None
        self._own_network = 0
        self.associations: dict[int, InetAddress] = {}
        """The peers that the broker has given to sockets; see `socket_sending`."""

    def create(self, call: Call) -> int | None:
        """Make a socket for the job where it may not make it itself; see socket(2)."""
        family, kind, protocol = map(signed, call.arguments[:3])
        usable = self._secluded or self._policy is not None or family == socket.AF_UNIX
        if not usable or (family, kind & ~_FLAGS, protocol) not in _KINDS:
            raise fail(errno.EPERM)
        if self._secluded and not self._own_network:
            self._own_network = _enter_own_network()
        with socket.socket(family, kind & ~_FLAGS, protocol) as made:
            if kind & socket.SOCK_NONBLOCK:
                os.set_blocking(made.fileno(), False)
            closes = bool(kind & socket.SOCK_CLOEXEC)
            self.listener.answer_with_descriptor(call, made.fileno(), close_on_exec=closes)
        return None

    def take(self, call: Call, borrowed: Borrowed) -> socket.socket:
        """Return a copy of the socket that is the call's first argument."""
        return borrowed.open_socket(self.processes.copy_descriptor(call.pid, signed(call.arguments[0])))

    def copy(self, call: Call, descriptor: int, borrowed: Borrowed) -> int:
        """Return a copy of a descriptor of the caller."""
        return borrowed.add(self.processes.copy_descriptor(call.pid, descriptor))

    def open_memory(self, call: Call, borrowed: Borrowed, mode: int = os.O_RDONLY) -> Memory:
        """Open the memory of the caller. Raises OSError if the caller is gone."""
        memory = open_memory(call.pid, mode)
        borrowed.add(memory.descriptor)
        self._check_open(call)
        return memory

    def read_address(self, call: Call, pointer: int, size: int) -> SocketAddress:
        """Copy and read an address in the memory of the caller."""
        raw = copy_memory(call.pid, pointer, bounded_size(size))
        self._check_open(call)
        return parse_address(raw)

    def _check_open(self, call: Call) -> None:
        """Raise OSError if the caller is gone: its id may be another process's by now."""
        if not self.listener.is_open(call):
            raise fail(errno.EINTR)

    def is_local(self) -> bool:
        """Whether the job's IP sockets lead nowhere but to the run's own."""
        return self._secluded

    def judge(self, address: InetAddress) -> None:
        """Raise OSError if the job may not send there."""
        if not self._secluded and (self._policy is None or not self._policy.allows(address.host, address.port)):
            raise fail(errno.EACCES)

    def expect_receiver(self, address: InetAddress) -> None:
        """Raise OSError if no socket of the run has this address: a datagram to it would be lost without a word."""
        family = socket.AF_INET6 if len(address.host) == _IPV6_BYTES else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            try:
                bind_socket(trial.fileno(), address.raw)
            except OSError:
                return
        raise fail(errno.ECONNREFUSED)

    def judge_name(self, sock: socket.socket) -> None:
        """Raise OSError if `sock` may not have or reach a name that is no file: all of a network share those."""
        if not self._own_network or cookie_of(sock, _SO_NETNS_COOKIE) != self._own_network:
            raise fail(errno.EACCES)


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
                self._sockets.judge(address)
            if sock.type == socket.SOCK_DGRAM:
                self._sockets.associations.pop(cookie_of(sock), None)
                if isinstance(address, InetAddress) and self._sockets.is_local():
                    self._sockets.expect_receiver(address)
            return self._start_connecting(call, sock, address.raw, borrowed)

    def _connect_unix(self, call: Call, sock: socket.socket, address: UnixAddress, borrowed: Borrowed) -> int | None:
        check_family(sock, (socket.AF_UNIX,))
        raw = address.raw
        if address.is_path:
            file = borrowed.add(self._sockets.unix.open(call.pid, address.name))
            raw = path_address(f"/proc/self/fd/{file}")
        elif address.name:
            self._sockets.judge_name(sock)
        return self._start_connecting(call, sock, raw, borrowed)

    def _start_connecting(self, call: Call, sock: socket.socket, raw: bytes, borrowed: Borrowed) -> int | None:
        try:
            return _connect_now(sock, raw)
        except BlockingIOError:
            if not is_blocking(sock):
                raise
        is_unix = sock.family == socket.AF_UNIX
        late = errno.EAGAIN if is_unix else errno.EINPROGRESS
        again = partial(_connect_now, sock, raw)
        self._sockets.waiting.add(Attempt(call, sock, again, borrowed.requeue_on_shutdown(), late, polled=not is_unix))
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
            sock.listen(signed(call.arguments[1]))
            return 0


def bounded_size(size: int) -> int:
    """Return the size of an address; raises OSError for one that no address has."""
    if not 0 <= signed(size) <= LONGEST:
        raise fail(errno.EINVAL)
    return signed(size)


def check_family(sock: socket.socket, families: tuple[int, ...]) -> None:
    """Raise OSError if a socket is of none of the families."""
    if sock.family not in families:
        raise fail(errno.EINVAL)


def is_blocking(sock: socket.socket) -> bool:
    """Return whether calls on the socket wait; Python's own idea of it does not count."""
    return not fcntl.fcntl(sock.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK


def cookie_of(sock: socket.socket, option: int = _SO_COOKIE) -> int:
    """Return the number that the kernel gives to a socket, or to its network namespace, and to no other ever."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, option, _COOKIE_BYTES), "little")


def _connect_now(sock: socket.socket, raw: bytes) -> int:
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


def _enter_own_network() -> int:
    """Enter a new network namespace, bring its loopback up, and return the namespace's cookie."""
    unshare(CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_INTERFACE_FLAGS, _INTERFACE.pack(b"lo", _UP))
        return cookie_of(control, _SO_NETNS_COOKIE)
