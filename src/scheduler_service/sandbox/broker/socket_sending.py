"""The calls of a job that can send to an address: sendto(2), sendmsg(2), sendmmsg(2).

The address, the content and the descriptors of a message are copied, the copies are judged, and the copies are sent.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
from collections.abc import Callable
from functools import cache, partial

from scheduler_service.sandbox.broker.job_access import Memory, status_of
from scheduler_service.sandbox.broker.job_sockets import (
    IP_FAMILIES,
    JobSockets,
    check_family,
    cookie_of,
    is_blocking,
)
from scheduler_service.sandbox.broker.socket_address import (
    InetAddress,
    SocketAddress,
    UnixAddress,
    Unspecified,
    bounded_size,
    fail,
    parse_address,
)
from scheduler_service.sandbox.broker.socket_messages import (
    HEADER,
    STRIDE,
    Message,
    bounded_content,
    read_message,
    split_control,
)
from scheduler_service.sandbox.broker.waiting_calls import Attempt, Borrowed
from scheduler_service.sandbox.kernel.notifications import Call
from scheduler_service.sandbox.kernel.syscalls import connect_socket

_LENGTH = struct.Struct("=I")
_CAP_SYS_ADMIN = 21
_CREDENTIALS = struct.Struct("=iII")  # struct ucred
_MAX_MESSAGES = 1024  # UIO_MAXIOV, where sendmmsg(2) stops too
_MAX_ASSOCIATIONS = 4096
_UDP_SEGMENT = 103  # splits a large send into datagrams; see udp(7)
_HARMLESS = {
    (socket.IPPROTO_UDP, _UDP_SEGMENT),
    (socket.IPPROTO_IP, socket.IP_TOS),
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
}
"""Control messages on IP sockets that change nothing about where something goes."""
_DESCRIPTOR = struct.Struct("=i")
_IPV6_BYTES = 16
_MAPPED = bytes(10) + b"\xff\xff"
_NOBODY = bytes(16)  # AF_UNSPEC
_USUAL_FLAGS = socket.MSG_OOB | socket.MSG_DONTROUTE | socket.MSG_EOR | socket.MSG_CONFIRM | socket.MSG_MORE

Address = tuple[str, int] | bytes | None
Control = list[tuple[int, int, bytes]]


class SocketSending:
    """Answers the calls of a job that send."""

    def __init__(self, sockets: JobSockets) -> None:
        self._sockets = sockets
        self.actions: dict[str, Callable[[Call], int | None]] = {
            "sendto": self._sendto,
            "sendmsg": self._sendmsg,
            "sendmmsg": self._sendmmsg,
        }

    def _sendto(self, call: Call) -> int | None:
        _, pointer, size, flags, name, name_size = call.arguments
        with Borrowed() as borrowed:
            sock = self._sockets.take(call, borrowed)
            memory = self._sockets.open_memory(call, borrowed)
            address = parse_address(memory.read(name, bounded_size(name_size)))
            message = Message(memory.read(pointer, bounded_content(sock, size)), address, b"")
            return self._start(call, sock, message, flags, borrowed)

    def _sendmsg(self, call: Call) -> int | None:
        with Borrowed() as borrowed:
            sock = self._sockets.take(call, borrowed)
            message = read_message(self._sockets.open_memory(call, borrowed), sock, call.arguments[1])
            return self._start(call, sock, message, call.arguments[2], borrowed)

    def _start(self, call: Call, sock: socket.socket, message: Message, flags: int, borrowed: Borrowed) -> int | None:
        control = self._write_control(call, sock, message.control, borrowed)
        address = self._find(call, sock, message.address, borrowed)
        return self._try(call, sock, partial(self._send, call, sock, message, control, address, flags), flags, borrowed)

    def _sendmmsg(self, call: Call) -> int | None:
        _, pointer, count, flags, *_ = call.arguments
        with Borrowed() as borrowed:
            sock = self._sockets.take(call, borrowed)
            memory = self._sockets.open_memory(call, borrowed, os.O_RDWR)
            places = range(pointer, pointer + count * STRIDE, STRIDE)
            return self._try(call, sock, partial(self._send_each, call, sock, memory, places, flags), flags, borrowed)

    def _try(
        self, call: Call, sock: socket.socket, act: Callable[[], int], flags: int, borrowed: Borrowed
    ) -> int | None:
        """Send what does not block. Keep the call waiting for the rest if the job's socket and its `flags` block."""
        try:
            return act()
        except BlockingIOError:
            if flags & socket.MSG_DONTWAIT or not is_blocking(sock):
                raise
        # epoll(7) does not tell when the receive queue of a peer has room, to which UNIX datagrams go directly.
        polled = sock.family != socket.AF_UNIX or sock.type != socket.SOCK_DGRAM
        self._sockets.waiting.add(Attempt(call, sock, act, borrowed.move(), polled=polled))
        return None

    def _send_each(self, call: Call, sock: socket.socket, memory: Memory, places: range, flags: int) -> int:
        """Send messages up to the first that fails. Raise its error only if nothing was sent; see sendmmsg(2)."""
        sent = 0
        for place in places[:_MAX_MESSAGES]:
            try:
                with Borrowed() as borrowed:
                    message = read_message(memory, sock, place)
                    control = self._write_control(call, sock, message.control, borrowed)
                    address = self._find(call, sock, message.address, borrowed)
                    size = self._send(call, sock, message, control, address, flags)
            except OSError:
                if not sent:
                    raise
                break
            memory.write(place + HEADER.size, _LENGTH.pack(size))
            sent += 1
        return sent

    def _send(
        self,
        call: Call,
        sock: socket.socket,
        message: Message,
        control: Control,
        address: Address,
        flags: int,
    ) -> int:
        usable = flags & _USUAL_FLAGS | socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        try:
            return sock.sendmsg([message.content], control, usable, address)
        except ConnectionRefusedError:
            if cookie_of(sock) not in self._sockets.associations:
                raise
            # The error is of an earlier datagram. The job's socket is not connected as far as the job knows, and such
            # a socket gets no errors (udp(7)). So the error is dropped, and the datagram sent.
            return sock.sendmsg([message.content], control, usable, address)
        except BrokenPipeError:
            if not flags & socket.MSG_NOSIGNAL and self._sockets.listener.is_open(call):
                os.kill(call.pid, signal.SIGPIPE)
            raise

    def _find(self, call: Call, sock: socket.socket, address: SocketAddress | None, borrowed: Borrowed) -> Address:
        """Return the address to send to, in Python's form; None if the socket is connected to it."""
        if address is None or sock.type == socket.SOCK_SEQPACKET:
            return None
        if isinstance(address, UnixAddress):
            check_family(sock, (socket.AF_UNIX,))
            return self._find_unix(call, sock, address, borrowed)
        if isinstance(address, Unspecified):
            raise fail(errno.EAFNOSUPPORT)
        check_family(sock, IP_FAMILIES)
        if sock.type == socket.SOCK_STREAM:
            return None
        self._sockets.judge(address, sock)
        if not self._sockets.is_local():
            return self._associate(sock, address)
        self._sockets.expect_receiver(address)
        return _spell(sock, address)

    def _find_unix(self, call: Call, sock: socket.socket, address: UnixAddress, borrowed: Borrowed) -> bytes:
        if sock.type == socket.SOCK_STREAM:
            raise fail(errno.EISCONN)
        if not address.name:
            raise fail(errno.EINVAL)
        if not address.is_path:
            self._sockets.judge_name(sock)
            return address.name
        file = borrowed.add(self._sockets.unix.open(call.pid, address.name))
        return b"/proc/self/fd/%d" % file

    def _associate(self, sock: socket.socket, address: InetAddress) -> Address:
        """Connect a datagram socket to its receiver. Unconnected, it would receive datagrams from anybody.

        A socket that the job has connected stays connected to its peer.
        """
        cookie, associations = cookie_of(sock), self._sockets.associations
        known = associations.get(cookie)
        if known == address:
            return None
        if known is None and _is_connected(sock):
            return _spell(sock, address)
        if known is not None:
            connect_socket(sock.fileno(), _NOBODY)
        connect_socket(sock.fileno(), address.raw)
        if len(associations) >= _MAX_ASSOCIATIONS:
            associations.clear()
        associations[cookie] = address
        return None

    def _write_control(self, call: Call, sock: socket.socket, control: bytes, borrowed: Borrowed) -> Control:
        """Return the control messages of a message. A receiver who asks for credentials gets the job's, not ours."""
        copied = self._copy_control(call, sock, control, borrowed)
        user = self._sockets.unix.shown_user
        if user is not None and sock.family == socket.AF_UNIX:
            process = int(status_of(call.pid)["Tgid"]) if _may_name_others() else os.getpid()
            copied.append((socket.SOL_SOCKET, socket.SCM_CREDENTIALS, _CREDENTIALS.pack(process, *user)))
        return copied

    def _copy_control(self, call: Call, sock: socket.socket, control: bytes, borrowed: Borrowed) -> Control:
        """Return the control messages of a message, with copies of the descriptors that go along."""
        copied: Control = []
        for level, kind, content in split_control(control):
            if sock.family == socket.AF_UNIX and (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = content[: len(content) // _DESCRIPTOR.size * _DESCRIPTOR.size]
                theirs = [number for (number,) in _DESCRIPTOR.iter_unpack(whole)]
                ours = [self._sockets.copy(call, number, borrowed) for number in theirs]
                copied.append((level, kind, b"".join(map(_DESCRIPTOR.pack, ours))))
            elif (level, kind) in _HARMLESS and sock.family in IP_FAMILIES:
                copied.append((level, kind, content))
            else:
                raise fail(errno.EPERM)
        return copied


@cache
def _may_name_others() -> bool:
    """Return whether this process has CAP_SYS_ADMIN, without which its messages can name no other process; unix(7)."""
    return bool(int(status_of(os.getpid())["CapEff"], 16) >> _CAP_SYS_ADMIN & 1)


def _spell(sock: socket.socket, address: InetAddress) -> Address:
    """Return an address in the form that Python's sockets take."""
    if sock.family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, address.host), address.port
    host = address.host if len(address.host) == _IPV6_BYTES else _MAPPED + address.host
    return socket.inet_ntop(socket.AF_INET6, host), address.port


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
