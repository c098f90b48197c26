"""The sockets of one job: made for it by the supervisor, copied from it, and judged by where they may lead."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
from contextlib import suppress

from scheduler_service.sandbox.broker.job_access import Memory, Processes, copy_memory, open_memory, signed
from scheduler_service.sandbox.broker.refusals import Refusals
from scheduler_service.sandbox.broker.socket_address import (
    InetAddress,
    SocketAddress,
    bounded_size,
    fail,
    parse_address,
)
from scheduler_service.sandbox.broker.unix_sockets import UnixSockets
from scheduler_service.sandbox.broker.waiting_calls import Borrowed, WaitingCalls
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy
from scheduler_service.sandbox.kernel.notifications import Call, Listener
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWNET, bind_socket, enter_namespace, unshare

IP_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_KINDS = frozenset(
    {(socket.AF_UNIX, kind, 0) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)}
    | {(family, socket.SOCK_STREAM, protocol) for family in IP_FAMILIES for protocol in (0, socket.IPPROTO_TCP)}
    | {(family, socket.SOCK_DGRAM, protocol) for family in IP_FAMILIES for protocol in (0, socket.IPPROTO_UDP)}
)
"""The families, types and protocols of sockets that a job may have."""
_FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_INTERFACE = struct.Struct("=16sH14x")  # struct ifreq: name, flags
_SET_INTERFACE_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP; see netdevice(7)
_SO_COOKIE, _SO_NETNS_COOKIE = 57, 71  # the second since Linux 5.14
_NETWORK = "/proc/self/ns/net"
_COOKIE_BYTES = 8
_IPV6_BYTES = 16
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


class JobSockets:
    """The sockets of one job, and what they may reach. `policy` is None for a job without network."""

    def __init__(self, listener: Listener, unix: UnixSockets, policy: NetworkPolicy | None, *, secluded: bool) -> None:
        self.listener = listener
        self.unix = unix
        self.processes = Processes()
        self.events = select.epoll()
        self.waiting = WaitingCalls(listener, self.events)
        self.refusals = Refusals()
        self._policy = policy
        self._secluded = secluded and policy is None
        self._own_network = 0
        self._usual_network = -1
        self.associations: dict[int, InetAddress] = {}
        """The peers that the broker has given to sockets; see `socket_sending`."""

    def create(self, call: Call) -> int | None:
        """Make a socket for the job, which may not make it itself; see socket(2)."""
        family, kind, protocol = map(signed, call.arguments[:3])
        usable = self._secluded or self._policy is not None or family == socket.AF_UNIX
        if not usable or (family, kind & ~_FLAGS, protocol) not in _KINDS:
            if family in IP_FAMILIES:
                self.refusals.note_socket(kind & ~_FLAGS)
            raise fail(errno.EPERM)
        if self._secluded and not self._own_network:
            self._usual_network = os.open(_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
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
        """Return the address in the memory of the caller."""
        raw = copy_memory(call.pid, pointer, bounded_size(size))
        self._check_open(call)
        return parse_address(raw)

    def _check_open(self, call: Call) -> None:
        """Raise OSError if the caller is gone: its id may be another process's by now."""
        if not self.listener.is_open(call):
            raise fail(errno.EINTR)

    def close(self) -> None:
        """Close what was opened for the job, and leave its network. Calls that still wait are given up."""
        self.waiting.close()
        self.processes.close()
        self.events.close()
        if self._usual_network >= 0:
            with suppress(OSError):  # in a user namespace there is no way back; see `spotless`
                enter_namespace(self._usual_network, CLONE_NEWNET)
            os.close(self._usual_network)

    def is_local(self) -> bool:
        """Return whether the job's IP sockets reach only sockets of the same run."""
        return self._secluded

    def judge(self, address: InetAddress, sock: socket.socket) -> None:
        """Raise OSError if the job may not send there."""
        if self._secluded:
            return
        if self._policy is None or not self._policy.allows(address.host, address.port):
            self.refusals.note_address(address, sock.type)
            raise fail(errno.EACCES)
        self.refusals.forget_other_family(address)

    def note_failure(self, address: InetAddress, sock: socket.socket, error: OSError) -> None:
        """Note an address that a job without network did not reach from the network of its run."""
        if self._secluded and error.errno in _UNREACHABLE:
            self.refusals.note_address(address, sock.type)

    def expect_receiver(self, address: InetAddress) -> None:
        """Raise OSError if no socket of the run has this address, because a datagram to it would be lost silently.

        If the address cannot be bound, somebody has it.
        """
        family = socket.AF_INET6 if len(address.host) == _IPV6_BYTES else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                bind_socket(sock.fileno(), address.raw)
            except OSError:
                return
        raise fail(errno.ECONNREFUSED)

    def judge_name(self, sock: socket.socket) -> None:
        """Raise OSError if `sock` may not use abstract names, which a whole network namespace shares (unix(7))."""
        if not self._own_network or cookie_of(sock, _SO_NETNS_COOKIE) != self._own_network:
            raise fail(errno.EACCES)


def check_family(sock: socket.socket, families: tuple[int, ...]) -> None:
    """Raise OSError if a socket is of none of the families."""
    if sock.family not in families:
        raise fail(errno.EINVAL)


def is_blocking(sock: socket.socket) -> bool:
    """Return whether calls on the socket block: by the open file's flag, which Python's object does not know."""
    return not fcntl.fcntl(sock.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK


def cookie_of(sock: socket.socket, option: int = _SO_COOKIE) -> int:
    """Return the cookie of a socket, or of its network namespace: a number that the kernel never uses again."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, option, _COOKIE_BYTES), "little")


def _enter_own_network() -> int:
    """Enter a new network namespace, bring its loopback up, and return the namespace's cookie."""
    unshare(CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_INTERFACE_FLAGS, _INTERFACE.pack(b"lo", _UP))
        return cookie_of(control, _SO_NETNS_COOKIE)
