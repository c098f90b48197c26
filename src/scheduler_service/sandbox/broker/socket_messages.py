"""The messages that a job wants to send, copied out of its memory; see sendmsg(2), cmsg(3).

Everything that a pointer leads to is copied exactly once. A second look could find something else there.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from scheduler_service.sandbox.broker.job_access import Memory
from scheduler_service.sandbox.broker.socket_address import SocketAddress, bounded_size, fail, parse_address

HEADER = struct.Struct("=QI4xQQQQi4x")
"""struct msghdr: name and its size, vectors and their number, control data and its size, flags."""
STRIDE = HEADER.size + 8
"""sizeof(struct mmsghdr): a header, and how many bytes were sent."""
MAX_BYTES = 256 << 10
"""The most that one call sends. A stream takes the rest with the next call, and no datagram can be so large."""
_VECTOR = struct.Struct("=QQ")  # struct iovec: start, size
_CONTROL = struct.Struct("=Qii")  # struct cmsghdr: size, level, type
_MAX_VECTORS = 1024  # UIO_MAXIOV
_MAX_CONTROL_BYTES = 4096  # enough for SCM_MAX_FD descriptors, 253 of 4 bytes
_ALIGNMENT = 8  # CMSG_ALIGN on 64 bits


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a job, copied. `control` holds its control messages (cmsg(3)), as the kernel would read them."""

    content: bytes
    address: SocketAddress | None
    control: bytes


def read_message(memory: Memory, sock: socket.socket, pointer: int) -> Message:
    """Copy the message whose `struct msghdr` is at `pointer`. Raise OSError if it is larger than one may be."""
    name, name_size, vectors, count, control, control_size, _ = HEADER.unpack(memory.read(pointer, HEADER.size))
    if count > _MAX_VECTORS or control_size > _MAX_CONTROL_BYTES:
        raise fail(errno.EMSGSIZE)
    address = parse_address(memory.read(name, bounded_size(name_size))) if name and name_size else None
    content = _gather(memory, sock, memory.read(vectors, count * _VECTOR.size))
    return Message(content, address, memory.read(control, control_size) if control else b"")


def split_control(control: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, type and content of each control message. Raise OSError if a size makes no sense."""
    place = 0
    while place + _CONTROL.size <= len(control):
        size, level, kind = _CONTROL.unpack_from(control, place)
        if size < _CONTROL.size or place + size > len(control):
            raise fail(errno.EINVAL)
        yield level, kind, control[place + _CONTROL.size : place + size]
        place += -(-size // _ALIGNMENT) * _ALIGNMENT


def bounded_content(sock: socket.socket, size: int) -> int:
    """Return how many of `size` bytes to send. Raise OSError for a datagram that is too large."""
    if size > MAX_BYTES and sock.type != socket.SOCK_STREAM:
        raise fail(errno.EMSGSIZE)
    return min(size, MAX_BYTES)


def _gather(memory: Memory, sock: socket.socket, vectors: bytes) -> bytes:
    parts: list[bytes] = []
    room = MAX_BYTES
    for pointer, size in _VECTOR.iter_unpack(vectors):
        taken = min(size, room)
        if taken < size and sock.type != socket.SOCK_STREAM:
            raise fail(errno.EMSGSIZE)
        parts.append(memory.read(pointer, taken))
        room -= taken
    return b"".join(parts)
